-- one row per match, played or not, as known as of the build
{{ config(indexes=[
    {'columns': ['match_id'], 'unique': true},
    {'columns': ['kickoff_at']},
    {'columns': ['competition', 'season']},
]) }}

with fixtures as (
    select * from {{ ref('stg_fixture_observation') }}
),

scores as (
    select * from {{ ref('stg_score_observation') }}
),

competitions as (
    select * from {{ ref('competition') }}
),

with_result as (
    select
        fixtures.*,
        -- A result by decree or of a match broken off says nothing about the sides.
        scores.fixture_key is not null
        and fixtures.status not in ('awarded', 'abandoned', 'cancelled') as is_played,
        scores.known_at as result_known_at
    from fixtures
    left join scores on fixtures.fixture_key = scores.fixture_key
),

-- The source has no stable match id: a match played on another day than first announced has another key. The
-- announcement is superseded once its day has passed without a result and the pairing was seen again later.
superseded as (
    select distinct announced.fixture_key
    from with_result as announced
    inner join with_result as seen_later
        on
            announced.competition = seen_later.competition
            and announced.season = seen_later.season
            and announced.home_team = seen_later.home_team
            and announced.away_team = seen_later.away_team
            and announced.fixture_key <> seen_later.fixture_key
            and announced.payload_id < seen_later.payload_id
    where
        not announced.is_played
        and (
            announced.kickoff_on < seen_later.kickoff_on and announced.kickoff_at < {{ as_of() }}
            -- Nobody plays the same side twice in two days: another source's key has taken the match over.
            or abs(announced.kickoff_on - seen_later.kickoff_on) <= 1
        )
)

select
    with_result.fixture_key as match_id,
    with_result.competition,
    competitions.country,
    competitions.tier,
    with_result.season,
    {{ team_id('competitions.country', 'with_result.home_team') }} as home_team_id,
    {{ team_id('competitions.country', 'with_result.away_team') }} as away_team_id,
    with_result.home_team,
    with_result.away_team,
    with_result.kickoff_at,
    with_result.kickoff_on,
    with_result.is_kickoff_time_known,
    case
        when with_result.is_played then 'played'
        when superseded.fixture_key is not null then 'superseded'
        when with_result.status = 'played' then 'scheduled'
        else with_result.status
    end as status,
    with_result.is_played,
    with_result.source,
    with_result.payload_id,
    with_result.known_at,
    competitions.is_simulated
from with_result
inner join competitions on with_result.competition = competitions.competition
left join superseded on with_result.fixture_key = superseded.fixture_key
