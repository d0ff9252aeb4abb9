-- one row per step: how its last run ended, and the last that succeeded, with what it recorded
-- $1 the present
with last as (
    select distinct on (step) step, status, started_at, detail ->> 'error' as error
    from ops.pipeline_run
    order by step, started_at desc
),

success as (
    select distinct on (step) step, as_of, detail
    from ops.pipeline_run
    where status = 'success' and as_of <= $1
    order by step, finished_at desc
)

select last.step, last.status, last.error, success.as_of, success.detail::text as detail
from last left join success using (step)
order by last.step
