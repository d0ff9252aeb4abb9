-- one row per match and period: what was known about it from valid_from until just before valid_to
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[
        {'columns': ['match_id', 'valid_from'], 'unique': true},
        {'columns': ['competition', 'season', 'home_team_id', 'away_team_id']},
        {'columns': ['kickoff_at']},
        {'columns': ['home_team_id', 'kickoff_at']},
        {'columns': ['away_team_id', 'kickoff_at']},
        {'columns': ['valid_from']},
    ],
) }}

with fixtures as (
    select * from {{ ref('stg_fixture_observation') }}
    {% if is_incremental() %}where {{ is_changed('fixture_key') }}{% endif %}
),

scores as (
    select * from {{ ref('stg_score_observation') }}
    {% if is_incremental() %}where {{ is_changed('fixture_key') }}{% endif %}
),

competitions as (
    select * from {{ ref('competition') }}
),

withdrawals as (
    select
        fixture_key,
        source,
        payload_id,
        known_at
    from fixtures
    where status = 'withdrawn'
),

instants as (
    select
        fixture_key,
        known_at as valid_from
    from fixtures
    union
    select
        fixture_key,
        known_at
    from scores
),

-- The last word, at each instant, of the source whose word counts; that there is no such match only where no other
-- source says that there is.
fixture_then as (
    select distinct on (instants.fixture_key, instants.valid_from)
        instants.valid_from,
        fixtures.*
    from instants
    inner join fixtures
        on instants.fixture_key = fixtures.fixture_key and instants.valid_from >= fixtures.known_at
    where not {{ is_withdrawn('fixtures', 'instants.valid_from') }}
    order by
        instants.fixture_key asc, instants.valid_from asc, fixtures.status = 'withdrawn' asc,
        {{ source_rank('fixtures') }} asc, {{ latest_version() }}
),

-- What the first source leaves out, another may say.
stage_then as (
    select distinct on (instants.fixture_key, instants.valid_from)
        instants.fixture_key,
        instants.valid_from,
        fixtures.stage
    from instants
    inner join fixtures
        on
            instants.fixture_key = fixtures.fixture_key
            and instants.valid_from >= fixtures.known_at
            and fixtures.stage is not null
    order by
        instants.fixture_key asc, instants.valid_from asc, {{ source_rank('fixtures') }} asc, {{ latest_version() }}
),

score_then as (
    select distinct on (instants.fixture_key, instants.valid_from)
        instants.valid_from,
        scores.*
    from instants
    inner join scores on instants.fixture_key = scores.fixture_key and instants.valid_from >= scores.known_at
    where not {{ is_withdrawn('scores', 'instants.valid_from') }}
    order by
        instants.fixture_key asc, instants.valid_from asc, {{ source_rank('scores') }} asc, {{ latest_version() }}
)

select
    fixture_then.fixture_key as match_id,
    fixture_then.valid_from,
    coalesce(
        lead(fixture_then.valid_from) over (
            partition by fixture_then.fixture_key
            order by fixture_then.valid_from
        ), {{ forever() }}
    ) as valid_to,
    fixture_then.competition,
    fixture_then.season,
    {{ team_id('competitions.country', 'fixture_then.home_team') }} as home_team_id,
    {{ team_id('competitions.country', 'fixture_then.away_team') }} as away_team_id,
    fixture_then.home_team,
    fixture_then.away_team,
    fixture_then.kickoff_at,
    fixture_then.kickoff_on,
    fixture_then.is_kickoff_time_known,
    fixture_then.status,
    coalesce(stage_then.stage, 'league') as stage,
    -- A result by decree or of a match broken off says nothing about the sides.
    score_then.fixture_key is not null
    and fixture_then.status not in ('awarded', 'abandoned', 'cancelled', 'withdrawn') as is_played,
    score_then.home_goals,
    score_then.away_goals,
    score_then.home_shots,
    score_then.away_shots,
    score_then.home_shots_on_target,
    score_then.away_shots_on_target,
    score_then.home_corners,
    score_then.away_corners,
    score_then.home_yellow_cards,
    score_then.away_yellow_cards,
    score_then.home_red_cards,
    score_then.away_red_cards,
    fixture_then.source,
    fixture_then.payload_id as fixture_payload_id,
    score_then.payload_id as score_payload_id
from fixture_then
inner join competitions on fixture_then.competition = competitions.competition
left join stage_then
    on fixture_then.fixture_key = stage_then.fixture_key and fixture_then.valid_from = stage_then.valid_from
left join score_then
    on fixture_then.fixture_key = score_then.fixture_key and fixture_then.valid_from = score_then.valid_from
