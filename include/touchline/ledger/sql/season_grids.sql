-- one row per match that has been predicted: the scoreline grid of the champion's last word, as of an instant
select distinct on (match_id) match_id::text as match_id, scoreline_grid
from ledger.prediction
where role = 'champion' and match_id = any(%(match_ids)s::uuid[]) and predicted_at > %(since)s and predicted_at <= %(as_of)s
order by match_id, predicted_at desc, prediction_id desc
