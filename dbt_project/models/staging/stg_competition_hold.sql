-- one row per hold of a competition, released or not
select
    hold.competition_hold_id,
    hold.competition,
    hold.gate,
    hold.reason,
    hold.held_as_of,
    release.released_as_of
from {{ source('ops', 'competition_hold') }} as hold
left join {{ source('ops', 'competition_release') }} as release
    on hold.competition_hold_id = release.competition_hold_id
