-- one row per run and step of the pipeline
select
    run_id,
    step,
    as_of,
    started_at,
    status,
    detail
from {{ source('ops', 'pipeline_run') }}
