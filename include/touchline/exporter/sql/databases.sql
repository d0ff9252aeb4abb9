-- one row per database, the busiest first: what the server has counted
select
    datname as database, xact_commit as n_commits, xact_rollback as n_rollbacks, deadlocks as n_deadlocks,
    blks_hit as n_hit, blks_read as n_read
from pg_stat_database
where datname is not null and datname not in ('template0', 'template1')
order by xact_commit desc, datname
