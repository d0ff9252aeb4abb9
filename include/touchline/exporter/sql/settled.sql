-- one row per settled match with the champion's last word on it and how that was last scored; a corrected result counts as
-- corrected. $1 present, $2 kick-offs after
with last_word as (
    select distinct on (match_id) prediction_id, kickoff_at, p_home, p_draw, p_away
    from ledger.prediction
    where role = 'champion' and kickoff_at > $2::timestamptz and kickoff_at <= $1 and predicted_at <= $1
    order by match_id, predicted_at desc, prediction_id desc
)

select
    last_word.kickoff_at, last_word.p_home, last_word.p_draw, last_word.p_away, outcome.outcome,
    outcome.p_closing_home, outcome.p_closing_draw, outcome.p_closing_away, outcome.closing_line_value
from last_word
inner join lateral (
    select * from ledger.prediction_outcome
    where prediction_outcome.prediction_id = last_word.prediction_id and settled_at <= $1
    order by revision desc
    limit 1
) as outcome on true
