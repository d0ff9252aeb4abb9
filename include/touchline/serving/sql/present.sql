-- one row: the present, which is the clock's, or that of what is served where that is later: the last build, and what was
-- predicted or settled on it since. A run that goes back in time builds again. `written_at`: when the last of these was
-- done by the wall clock. $1 the clock's, null if it does not answer
with served as (
    select last.step, last.as_of, last.finished_at
    from unnest(array['build_analytics', 'predict', 'settle']) as steps (step)
    cross join lateral (
        select step, as_of, finished_at from ops.pipeline_run
        where pipeline_run.step = steps.step and status = 'success'
        order by finished_at desc
        limit 1
    ) as last
)

select
    greatest(
        $1::timestamptz,
        max(as_of) filter (
            where finished_at >= coalesce((select finished_at from served where step = 'build_analytics'), '-infinity')
        )
    ) as as_of,
    max(finished_at) as written_at
from served
