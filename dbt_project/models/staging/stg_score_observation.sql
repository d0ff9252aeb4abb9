-- one row per version of a result known as of the build, without those set aside
select
    fixture_key,
    source,
    home_goals,
    away_goals,
    home_goals_half_time,
    away_goals_half_time,
    home_goals_extra_time,
    away_goals_extra_time,
    home_penalties,
    away_penalties,
    home_shots,
    away_shots,
    home_shots_on_target,
    away_shots_on_target,
    home_corners,
    away_corners,
    home_fouls,
    away_fouls,
    home_yellow_cards,
    away_yellow_cards,
    home_red_cards,
    away_red_cards,
    referee,
    payload_id,
    published_at,
    observed_at,
    known_at
from {{ source('landing', 'score_observation') }} as observation
where
    known_at <= {{ as_of() }}
    and not exists (
        select from {{ source('landing', 'quarantined_fact') }} as aside
        where
            aside.kind = 'score'
            and aside.fixture_key = observation.fixture_key
            and aside.payload_id = observation.payload_id
    )
