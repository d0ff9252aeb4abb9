-- one row: who predicted last as champion, and as of when it was trained. $1 present
with champion as (
    select model_name, model_version, forecast
    from ledger.prediction
    where role = 'champion' and predicted_at <= $1
    order by predicted_at desc, prediction_id desc
    limit 1
)

select
    model_name as model, model_version as version, forecast, 1 as is_champion,
    (
        select max((detail ->> 'as_of')::timestamptz) from ops.lineage_edge
        where from_kind = 'training_set' and to_kind = 'model_version' and to_id = model_name || '/' || model_version
    ) as trained_at
from champion
