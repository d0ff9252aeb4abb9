-- one row per version of a fixture known as of the build, without those set aside
select
    fixture_key,
    source,
    competition,
    season,
    home_team,
    away_team,
    kickoff_on,
    kickoff_at,
    is_kickoff_time_known,
    status,
    stage,
    payload_id,
    published_at,
    observed_at,
    known_at
from {{ source('landing', 'fixture_observation') }} as observation
where known_at <= {{ as_of() }} and {{ not_set_aside('fixture') }}
