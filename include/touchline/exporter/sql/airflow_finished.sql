-- one row per DAG and state: tasks that ended within a day, failures first. $1 the wall clock
select dag_id as dag, state, count(*) as n_tasks
from task_instance
where state in ('success', 'failed', 'upstream_failed', 'skipped') and end_date > $1::timestamptz - interval '24 hours'
group by dag_id, state
order by array_position(array['failed', 'upstream_failed', 'success', 'skipped'], state), dag_id
