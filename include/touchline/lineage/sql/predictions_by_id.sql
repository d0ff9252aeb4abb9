-- one row per prediction whose id lies in a range: a range of the key stays fast in a ledger of millions
select *
from ledger.prediction
where prediction_id between %(first_id)s and %(last_id)s
order by prediction_id
limit %(limit)s
