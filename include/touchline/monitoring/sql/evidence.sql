-- one row per hold in force, one per kind of facts that was ever to be collected, and one for the last look at all
-- fixtures, which writes predictions where there is something new. $1 present
with collections as (
    -- A collection is answered when one of its sources gave something, if only that nothing has changed; one that had
    -- nothing to ask has missed nothing.
    select
        kind,
        run_id,
        max(as_of) as as_of,
        max(started_at) as started_at,
        coalesce(bool_or(
            status = 'success' and (
                (detail ->> 'requests')::int = 0
                or (detail ->> 'new_payloads')::int + (detail ->> 'seen_again')::int
                + (detail ->> 'not_offered')::int > 0
            )
        ), false) as is_answered
    from ops.pipeline_run
    cross join unnest(string_to_array(split_part(substr(step, length('collect_') + 1), '/', 1), '+')) as kind
    where step like 'collect\_%' and status <> 'running' and as_of <= $1
    group by kind, run_id
),

collected as (
    select
        kind,
        max(as_of) filter (where is_answered) as answered_at,
        (array_agg(is_answered order by as_of desc, started_at desc))[1] as is_answered
    from collections
    group by kind
)

select 'collected' as what, kinds.kind as subject, answered_at as since, coalesce(is_answered, false) as is_answered, null as reason
from unnest(array['fixtures', 'odds', 'scores']) as kinds (kind)
left join collected using (kind)
where exists (select from collections)
union all
select 'held', hold.competition, min(hold.held_as_of), null, min(hold.reason)
from ops.competition_hold as hold
left join ops.competition_release as released using (competition_hold_id)
where held_as_of <= $1 and (released_as_of is null or released_as_of > $1)
group by hold.competition
union all
select 'looked', '', greatest(
    (select max(as_of) from ops.pipeline_run where step = 'predict' and status = 'success' and as_of <= $1),
    (select max(predicted_at) from ledger.prediction where predicted_at <= $1)
), null, null
order by what, subject
