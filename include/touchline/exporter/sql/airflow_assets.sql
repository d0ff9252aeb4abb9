-- one row per DAG that has news to work on, the longest wait first
select target_dag_id as dag, count(*) as n_waiting, min(created_at) as oldest
from asset_dag_run_queue
group by target_dag_id
order by oldest, dag
