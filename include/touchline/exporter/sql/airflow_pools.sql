-- one row per pool: its slots, those taken, and how many tasks wait
select
    pool.pool, case when pool.slots < 0 then 'Infinity' else pool.slots::float8 end as n_slots,
    coalesce(sum(task.pool_slots) filter (
        where task.state in ('running', 'queued') or (task.state = 'deferred' and pool.include_deferred)
    ), 0) as n_used,
    count(*) filter (where task.state in ('scheduled', 'queued')) as n_queued
from slot_pool as pool
left join task_instance as task
    on task.pool = pool.pool and task.state in ('running', 'queued', 'scheduled', 'deferred')
group by pool.id
order by pool.pool
