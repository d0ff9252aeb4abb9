-- one row per step: as of when it last succeeded
select step, max(as_of) as as_of from ops.pipeline_run where status = 'success' group by step order by step
