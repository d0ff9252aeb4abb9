-- one row per step: as of when it last succeeded
select distinct on (step) step, as_of
from ops.pipeline_run
where status = 'success'
order by step, finished_at desc
