-- one row per gate: the failed expectations of its last run, by severity
select
    result.gate, max(result.as_of) as as_of, count(*)::int as n_expectations,
    (count(*) filter (where not success and severity = 'block'))::int as n_block,
    (count(*) filter (where not success and severity = 'quarantine'))::int as n_quarantine,
    (count(*) filter (where not success and severity = 'warn'))::int as n_warn
from ops.quality_result as result
inner join (
    select distinct on (gate) gate, run_id from ops.quality_result where suite = 'gate'
    order by gate, checked_at desc
) as last on last.gate = result.gate and last.run_id = result.run_id
where result.suite <> 'gate'
group by result.gate
order by result.gate
