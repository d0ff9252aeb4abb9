-- at most one row per id: the features that the champion's latest prediction of a match was made from, as seen from the
-- present. $1 matches, $2 present
select distinct on (match_id)
    match_id as key, match_id, prediction_id, predicted_at, features_as_of, feature_store, feature_hash, features,
    is_simulated
from ledger.prediction
where match_id = any($1::uuid[]) and role = 'champion' and predicted_at <= $2
order by match_id, predicted_at desc, prediction_id desc
