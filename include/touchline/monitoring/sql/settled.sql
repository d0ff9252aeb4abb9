-- one row per settled match: the champion's last word on it and how it was last scored; a corrected result counts as
-- corrected
with last_word as (
    select distinct on (match_id) prediction_id, kickoff_at, predicted_at, p_home, p_draw, p_away
    from ledger.prediction
    where role = 'champion' and model_name = %(model_name)s and predicted_at <= %(as_of)s
        and kickoff_at > %(kickoff_after)s
    order by match_id, predicted_at desc, prediction_id desc
)
select (last_word.kickoff_at at time zone 'UTC')::date as kickoff_on, last_word.predicted_at,
    last_word.p_home, last_word.p_draw, last_word.p_away, outcome.outcome,
    outcome.p_closing_home, outcome.p_closing_draw, outcome.p_closing_away
from last_word
inner join lateral (
    select * from ledger.prediction_outcome
    where prediction_outcome.prediction_id = last_word.prediction_id and settled_at <= %(as_of)s
    order by revision desc limit 1
) as outcome on true
order by last_word.kickoff_at, last_word.prediction_id
