-- one row per fixture key: the last version known as of the build, of the source whose word counts
select distinct on (fixture_key)
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
    payload_id,
    published_at,
    observed_at,
    known_at
from {{ source('landing', 'fixture_observation') }}
where known_at <= {{ as_of() }}
order by fixture_key, {{ source_rank('fixtures') }}, {{ latest_version() }}
