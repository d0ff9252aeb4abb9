-- nothing: each count is what the process has counted so far, so that to write it again changes nothing.
-- $1 process, $2 prefixes, $3 minutes, $4 routes, $5 statuses, $6 counts
insert into ops.api_key_use as known (prefix, minute, route, status, process, n)
select prefix, minute, route, status, $1::uuid, n
from unnest($2::text[], $3::timestamptz[], $4::text[], $5::smallint[], $6::bigint[])
    as new (prefix, minute, route, status, n)
on conflict (prefix, minute, route, status, process) do update set n = greatest(known.n, excluded.n)
