-- one row per standby, the furthest behind first; before them one of how many there are
select null as replica, count(*) as n_replicas, null::numeric as lag from pg_stat_replication
union all
(
    select
        coalesce(nullif(application_name, ''), host(client_addr), pid::text), null,
        pg_wal_lsn_diff(
            case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
            coalesce(replay_lsn, flush_lsn, write_lsn)
        )
    from pg_stat_replication
    order by 3 desc nulls last
)
