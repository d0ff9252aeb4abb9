-- one row per match, played or not, as known as of the build
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'affected'},
    indexes=[
        {'columns': ['match_id'], 'unique': true},
        {'columns': ['kickoff_at']},
        {'columns': ['competition', 'season']},
        {'columns': ['competition', 'kickoff_at']},
    ],
) }}

with versions as (
    select * from {{ ref('match_version') }}
    where
        valid_to = {{ forever() }}
        {% if is_incremental() %}and {{ is_affected('match_id') }}{% endif %}
),

competitions as (
    select * from {{ ref('competition') }}
),

superseded as (
    select distinct announced.match_id
    from versions as announced
    -- Whatever names it again, changed or not.
    inner join {{ ref('match_version') }} as seen_later
        on
            announced.competition = seen_later.competition
            and announced.season = seen_later.season
            and announced.home_team_id = seen_later.home_team_id
            and announced.away_team_id = seen_later.away_team_id
    where seen_later.valid_to = {{ forever() }} and {{ is_taken_over("announced", "seen_later", as_of()) }}
)

select
    versions.match_id,
    versions.competition,
    competitions.country,
    competitions.tier,
    versions.season,
    versions.home_team_id,
    versions.away_team_id,
    versions.home_team,
    versions.away_team,
    versions.kickoff_at,
    versions.kickoff_on,
    versions.is_kickoff_time_known,
    not versions.is_kickoff_time_known as is_imputed,
    case
        when versions.is_played then 'played'
        when superseded.match_id is not null or versions.status = 'withdrawn' then 'superseded'
        when
            versions.status in ('scheduled', 'in_play', 'suspended', 'played')
            and versions.kickoff_at <= {{ unreported_until(as_of()) }} then 'unreported'
        when versions.status = 'played' then 'scheduled'
        else versions.status
    end as status,
    versions.stage,
    versions.is_played,
    versions.source,
    versions.fixture_payload_id as payload_id,
    versions.valid_from as known_at,
    competitions.is_simulated
from versions
inner join competitions on versions.competition = competitions.competition
left join superseded on versions.match_id = superseded.match_id
