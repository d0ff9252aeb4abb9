-- one row per competition that a gate holds, and why. $1 present
select
    hold.competition, min(hold.held_as_of) as held_as_of, string_agg(distinct hold.gate, ', ') as gates,
    min(hold.reason) as reason
from ops.competition_hold as hold
left join ops.competition_release as released using (competition_hold_id)
where held_as_of <= $1 and (released_as_of is null or released_as_of > $1)
group by hold.competition
order by hold.competition
