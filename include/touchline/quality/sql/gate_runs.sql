-- one row per run of a gate, newest first
select run_id, gate, min(as_of) as as_of, max(checked_at) as checked_at,
    bool_and(success) filter (where suite = 'gate') as is_clean,
    count(*) filter (where suite <> 'gate') as n_expectations,
    count(*) filter (where suite <> 'gate' and not success and severity = 'block') as n_blocking,
    count(*) filter (where suite <> 'gate' and not success and severity = 'quarantine') as n_quarantining,
    count(*) filter (where suite <> 'gate' and not success and severity = 'warn') as n_warning,
    array_agg(distinct suite || '.' || coalesce(column_name, expectation)) filter (
        where suite <> 'gate' and not success
    ) as failed
from ops.quality_result
where %(gate)s::text is null or gate = %(gate)s
group by run_id, gate
order by max(quality_result_id) desc
limit %(limit)s
