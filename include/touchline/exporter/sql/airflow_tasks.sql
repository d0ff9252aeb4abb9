-- one row per state of what has not finished: how many tasks are in it
select states.state, count(task.state) as n_tasks
from unnest(array['scheduled', 'queued', 'running', 'deferred', 'up_for_retry']) as states (state)
left join task_instance as task using (state)
group by states.state
order by states.state
