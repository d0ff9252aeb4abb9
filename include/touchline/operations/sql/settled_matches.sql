-- one row: the matches whose predictions a run has settled
select
    coalesce(array_agg(distinct prediction.competition order by prediction.competition), '{}') as competitions,
    min(prediction.kickoff_at at time zone 'UTC')::date as first_match_on,
    max(prediction.kickoff_at at time zone 'UTC')::date as last_match_on,
    count(distinct prediction.match_id) as n_matches
from ledger.prediction_outcome as outcome inner join ledger.prediction using (prediction_id)
where outcome.run_id = %(run_id)s
