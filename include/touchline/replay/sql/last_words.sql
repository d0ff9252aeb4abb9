-- one row per settled match: the last word of the champion before kick-off, what became of it, and the prices beside it
with last_word as (
    select distinct on (match_id) *
    from ledger.prediction
    where role = 'champion' and model_name = %(model_name)s
    order by match_id, predicted_at desc, prediction_id desc
),

market as (
    select distinct on (match_id) match_id, p_home, p_draw, p_away
    from ledger.prediction
    where role = 'baseline' and forecast = %(market)s and model_name = %(model_name)s
    order by match_id, predicted_at desc, prediction_id desc
),

outcome as (
    select distinct on (prediction_id) *
    from ledger.prediction_outcome
    order by prediction_id, revision desc
)

select
    last_word.competition, last_word.kickoff_at, last_word.model_version, last_word.forecast, outcome.outcome,
    outcome.log_loss, outcome.rps,
    -ln(case outcome.outcome when 'home' then market.p_home when 'draw' then market.p_draw else market.p_away end)
        as market_log_loss,
    -ln(case outcome.outcome
        when 'home' then outcome.p_closing_home when 'draw' then outcome.p_closing_draw else outcome.p_closing_away
    end) as closing_log_loss
from last_word
inner join outcome using (prediction_id)
left join market using (match_id)
order by last_word.kickoff_at, last_word.match_id
