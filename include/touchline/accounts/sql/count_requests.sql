-- one row per counter: what all processes have counted in its window. $1 names, $2 ends of their windows, $3 counts.
-- All write in the same order, so that none waits for another in a circle.
insert into ops.api_rate as known (name, ends_at, n)
select name, max(ends_at), sum(n)
from unnest($1::text[], $2::timestamptz[], $3::bigint[]) as new (name, ends_at, n)
group by name
order by name
on conflict (name) do update set n = known.n + excluded.n
returning name, n
