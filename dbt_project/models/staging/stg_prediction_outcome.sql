-- one row per settled prediction: what came of it, by the newest revision of the result
select distinct on (prediction_id)
    prediction_id,
    home_goals,
    away_goals,
    outcome,
    rps,
    log_loss,
    brier,
    is_correct,
    p_closing_home,
    p_closing_draw,
    p_closing_away,
    closing_line_value,
    settled_at
from {{ source('ledger', 'prediction_outcome') }}
order by prediction_id, revision desc
