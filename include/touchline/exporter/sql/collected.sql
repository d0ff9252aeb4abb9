-- one row per kind of facts: as of when a source of it last answered. $1 present
select kind, max(as_of) as collected from ops.collection where is_answered and as_of <= $1 group by kind order by kind
