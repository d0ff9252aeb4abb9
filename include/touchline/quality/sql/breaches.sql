-- one row per rule and run: rows and values first refused while parsing, facts found at the gate, kick-off times that
-- were filled
select rule, run_id, count(*) as n, max(recorded_at) as at
from landing.rejected_row as rejected
where not exists (
    select from landing.rejected_row as earlier
    where earlier.finding_key = rejected.finding_key and earlier.rejected_row_id < rejected.rejected_row_id
)
group by rule, run_id
union all
select rule, run_id, sum(n), max(checked_at)
from (
    -- A gate that was tried again in the same run counts once.
    select distinct on (run_id, rule, competition) * from ops.rule_result
    order by run_id, rule, competition, attempt desc
) as said
group by rule, run_id
union all
select 'kickoff_time_customary', run_id, count(*), max(recorded_at)
from landing.fixture_observation inner join landing.payload using (payload_id)
where not is_kickoff_time_known group by run_id
