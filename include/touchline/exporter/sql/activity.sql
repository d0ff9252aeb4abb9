-- one row per database and state of its sessions, the most first; before them one of the server as a whole.
-- $1 how long a query may run
with sessions as (
    select coalesce(datname, '') as database, coalesce(state, 'unknown') as state, query_start, xact_start
    from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()
)

select
    null as database, null as state, null::bigint as n_connections,
    current_setting('max_connections')::int as max_connections,
    (select count(*) from pg_locks where not granted) as n_waiting_locks,
    count(*) filter (where state = 'active' and clock_timestamp() - query_start > $1::interval) as n_slow,
    coalesce(extract(epoch from max(clock_timestamp() - xact_start)), 0) as longest_transaction
from sessions
union all
(
    select database, state, count(*), null, null, null, null
    from sessions
    group by database, state
    order by count(*) desc, database, state
)
