-- one row per expectation that failed in the last run of its gate, the gravest first
select result.gate, result.suite, result.expectation, result.column_name, result.severity, result.n_unexpected, result.as_of
from ops.quality_result as result
inner join (
    select distinct on (gate) gate, run_id from ops.quality_result where suite = 'gate'
    order by gate, checked_at desc
) as last on last.gate = result.gate and last.run_id = result.run_id
where result.suite <> 'gate' and not result.success
order by array_position(array['block', 'quarantine', 'warn'], result.severity), result.gate, result.suite,
    result.expectation, result.column_name
