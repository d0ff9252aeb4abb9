-- one row per table, the twenty largest first, with indexes and partitions: its size, and the share of dead rows
with tables as (
    select
        coalesce(pg_partition_root(class.oid), class.oid) as root, sum(pg_total_relation_size(class.oid)) as size,
        sum(stat.n_dead_tup) / nullif(sum(stat.n_live_tup + stat.n_dead_tup), 0) as dead_ratio
    from pg_class as class
    inner join pg_stat_user_tables as stat on stat.relid = class.oid
    where class.relkind in ('r', 'm', 'p')
    group by root
)

select nspname as schema, relname as table, size, dead_ratio
from tables
inner join pg_class as class on class.oid = root
inner join pg_namespace as namespace on namespace.oid = relnamespace
order by size desc, nspname, relname
limit 20
