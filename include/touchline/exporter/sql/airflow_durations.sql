-- one row per task of a DAG: how long its last success took
select distinct on (dag_id, task_id) dag_id as dag, task_id as task, duration
from task_instance
where state = 'success'
order by dag_id, task_id, end_date desc nulls last
