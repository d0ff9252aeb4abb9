-- one row per step: as of when it last succeeded, how long that took, and how often it failed within a day. Each step has
-- one search in the index, however many runs there are. $1 present, $2 the wall clock
with recursive steps as (
    select min(step) as step from ops.pipeline_run
    union all
    select (select min(step) from ops.pipeline_run where step > steps.step) from steps where step is not null
)

select
    steps.step, success.as_of as last, extract(epoch from success.finished_at - success.started_at) as duration,
    (
        select count(*) from ops.pipeline_run
        where step = steps.step and status = 'failed' and finished_at > $2::timestamptz - interval '24 hours'
    ) as n_failures
from steps
left join lateral (
    select as_of, started_at, finished_at from ops.pipeline_run
    where step = steps.step and status = 'success' and as_of <= $1
    order by finished_at desc
    limit 1
) as success on true
where steps.step is not null
order by steps.step
