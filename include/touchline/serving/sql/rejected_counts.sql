-- one row per source and rule: what could not be used lately and still waits, most first. $1 since
select
    source, rule, count(*)::int as n, count(*) filter (where scope = 'row')::int as n_rows, max(observed_at) as last_at,
    (array_agg(reason order by rejected_row_id desc))[1] as example
from analytics.rejected_rows
where not is_settled and observed_at >= $1
group by source, rule
order by n desc, source, rule
