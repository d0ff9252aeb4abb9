-- one row: the matches that a run has predicted
select
    coalesce(array_agg(distinct competition order by competition), '{}') as competitions,
    min(kickoff_at at time zone 'UTC')::date as first_match_on, max(kickoff_at at time zone 'UTC')::date as last_match_on,
    count(distinct match_id) as n_matches
from ledger.prediction
where run_id = %(run_id)s and kickoff_at > %(as_of)s
