-- at most one row: how a prediction was last settled. $1 prediction
select * from ledger.prediction_outcome where prediction_id = $1 order by revision desc limit 1
