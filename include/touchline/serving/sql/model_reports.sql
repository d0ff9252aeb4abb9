-- one row per quality report of the models, the latest first: its day, and the run of MLflow that holds its files. $1 present
select distinct on (report_on)
    (detail ->> 'report_on')::date as report_on, as_of, detail ->> 'mlflow_run_id' as mlflow_run_id,
    (detail ->> 'n_settled')::int as n_settled
from ops.pipeline_run
where step = 'report_models' and status = 'success' and as_of <= $1
order by report_on desc, finished_at desc
