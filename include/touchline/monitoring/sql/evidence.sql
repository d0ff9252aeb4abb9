-- one row per hold in force, one per kind of facts that was ever to be collected, and one for the last look at all
-- fixtures, which writes predictions where there is something new. $1 present
with collected as (
    select
        kind,
        max(as_of) filter (where is_answered) as answered_at,
        (array_agg(is_answered order by as_of desc, started_at desc))[1] as is_answered
    from ops.collection
    where as_of <= $1
    group by kind
)

select 'collected' as what, kinds.kind as subject, answered_at as since, coalesce(is_answered, false) as is_answered, null as reason
from unnest(array['fixtures', 'odds', 'scores']) as kinds (kind)
left join collected using (kind)
where exists (select from collected)
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
