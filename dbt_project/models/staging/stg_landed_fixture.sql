-- one row per version of a fixture and rule that set it aside: all that has landed, known to the build or not
select
    observation.fixture_key,
    observation.source,
    observation.competition,
    observation.home_team,
    observation.away_team,
    observation.kickoff_at,
    observation.payload_id,
    observation.row_number,
    observation.observed_at,
    observation.known_at,
    aside.quarantined_fact_id,
    aside.rule,
    aside.reason
from {{ source('landing', 'fixture_observation') }} as observation
left join {{ source('landing', 'set_aside') }} as aside
    on
        aside.kind = 'fixture'
        and observation.fixture_key = aside.fixture_key
        and observation.payload_id = aside.payload_id
