-- one row per reign, the latest first: from its first prediction to its last a version was the champion without another in
-- between; with what its training said of it. A promotion by hand is nowhere but in the predictions. $1 present
with made as (
    select
        model_name, model_version, forecast, predicted_at,
        row_number() over (order by predicted_at, prediction_id)
        - row_number() over (partition by model_name, model_version, forecast order by predicted_at, prediction_id)
        as reign
    from ledger.prediction
    where role = 'champion' and predicted_at <= $1
),

trained as (
    select distinct on (model_name, model_version)
        report ->> 'model_name' as model_name, report ->> 'version' as model_version, report ->> 'state' as state,
        report ->> 'reason' as reason
    from ops.pipeline_run as run
    cross join lateral (values (run.detail), (run.detail -> 'challenger')) as said (report)
    where run.step = 'train' and run.status = 'success' and report ->> 'version' is not null
    order by model_name, model_version, run.finished_at desc
)

select
    made.model_name, made.model_version, made.forecast, min(made.predicted_at) as first_predicted_at,
    max(made.predicted_at) as last_predicted_at, count(*)::int as n_predictions, trained.state, trained.reason
from made
left join trained using (model_name, model_version)
group by made.model_name, made.model_version, made.forecast, made.reign, trained.state, trained.reason
order by first_predicted_at desc, last_predicted_at desc
