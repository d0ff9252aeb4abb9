-- one row: when the maintenance in force ends, 0 when there is none. $1 the wall clock
select coalesce(extract(epoch from max(ends_at)), 0) as until
from ops.maintenance_window
where starts_at <= $1 and ends_at > $1
