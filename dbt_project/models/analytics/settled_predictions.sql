-- one row per settled prediction: the forecast, what came of it, and the closing market on the same match
with predictions as (
    select * from {{ ref('prediction_history') }}
),

outcomes as (
    select * from {{ ref('stg_prediction_outcome') }}
),

-- What counts is the last word of each forecast before kick-off.
last_word as (
    select distinct on (match_id, model_name, forecast, role) *
    from predictions
    order by match_id, model_name, forecast, role, predicted_at desc, prediction_id desc
)

select
    last_word.prediction_id,
    last_word.match_id,
    last_word.competition,
    last_word.season,
    last_word.home_team,
    last_word.away_team,
    last_word.kickoff_at,
    last_word.predicted_at,
    last_word.model_name,
    last_word.model_version,
    last_word.forecast,
    last_word.rests_on,
    last_word.role,
    last_word.p_home,
    last_word.p_draw,
    last_word.p_away,
    outcomes.home_goals,
    outcomes.away_goals,
    outcomes.outcome,
    outcomes.rps,
    outcomes.log_loss,
    outcomes.brier,
    outcomes.is_correct,
    outcomes.p_closing_home,
    outcomes.p_closing_draw,
    outcomes.p_closing_away,
    -ln(
        case outcomes.outcome
            when 'home' then outcomes.p_closing_home
            when 'draw' then outcomes.p_closing_draw
            else outcomes.p_closing_away
        end
    ) as closing_log_loss,
    outcomes.closing_line_value,
    outcomes.settled_at,
    last_word.clock,
    last_word.is_simulated
from last_word
inner join outcomes on last_word.prediction_id = outcomes.prediction_id
