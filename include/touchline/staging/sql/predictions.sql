-- one row: what the ledger holds since an instant of the wall clock, and what must not be in it
select
    count(*) as n_predictions,
    count(distinct match_id) as n_matches,
    count(*) filter (where features_as_of > predicted_at) as n_with_later_features,
    count(*) filter (where predicted_at >= kickoff_at) as n_late,
    count(*) - count(distinct (match_id, model_name, model_version, forecast, role, predicted_at)) as n_doubled
from ledger.prediction
where recorded_at >= %(since)s
