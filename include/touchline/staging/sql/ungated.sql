-- one row a build since an instant of the wall clock that a gate did not check: its step, and its as_of (UTC)
select
    run.step,
    run.as_of,
    gates.gate
from ops.pipeline_run as run
inner join (values ('build_core', 'landing'), ('build_analytics', 'features')) as gates (step, gate)
    on run.step = gates.step
where
    run.status = 'success' and run.started_at >= %(since)s and not exists (
        select from ops.quality_result as result
        where result.gate = gates.gate and result.suite <> 'gate' and result.as_of = run.as_of
    )
order by run.as_of, run.step
