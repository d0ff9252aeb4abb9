-- one row per gate and severity: expectations that failed in the gate's last run, and with a null severity when that was.
-- $1 present
with last as (
    select distinct on (gate) gate, run_id, as_of
    from ops.quality_result
    where suite = 'gate' and as_of <= $1
    order by gate, checked_at desc
)

select last.gate, severities.severity, count(result.gate) as n_failures, null::timestamptz as checked
from last
cross join unnest(array['block', 'quarantine', 'warn']) as severities (severity)
left join ops.quality_result as result
    on result.gate = last.gate and result.run_id = last.run_id and result.suite <> 'gate' and not result.success
    and result.severity = severities.severity
group by last.gate, severities.severity
union all
select gate, null, null, as_of from last
order by gate, severity
