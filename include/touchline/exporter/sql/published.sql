-- one row per role: how many predictions it wrote within a day of the present, and one more: when the newest was made.
-- $1 present
select roles.role, count(prediction.role) as n_predictions, null::timestamptz as last_predicted
from unnest(array['champion', 'challenger', 'baseline']) as roles (role)
left join ledger.prediction as prediction
    on prediction.role = roles.role
    and prediction.predicted_at > $1::timestamptz - interval '24 hours' and prediction.predicted_at <= $1
group by roles.role
union all
select null, null, max(predicted_at) from ledger.prediction where predicted_at <= $1
