-- one row per prediction: every feature that it was made from. $1 ids
select prediction_id::text as prediction_id, features from ledger.prediction where prediction_id = any($1::uuid[])
