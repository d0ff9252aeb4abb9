-- one row per team ever named in a fixture: a name within a country
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'team'},
    indexes=[{'columns': ['team_id'], 'unique': true}],
) }}

with versions as (
    select * from {{ ref('match_version') }}
    {% if is_incremental() %}where {{ is_changed('match_id') }}{% endif %}
),

competitions as (
    select * from {{ ref('competition') }}
),

appearances as (
    select
        home_team_id as team_id,
        home_team as name,
        competition,
        kickoff_on
    from versions
    union all
    select
        away_team_id,
        away_team,
        competition,
        kickoff_on
    from versions
),

named as (
    select
        appearances.team_id,
        appearances.name,
        competitions.country,
        competitions.is_simulated,
        appearances.kickoff_on as first_match_on,
        appearances.kickoff_on as last_match_on
    from appearances
    inner join competitions on appearances.competition = competitions.competition
    {% if is_incremental() %}
        -- Versions stay (where they are rewritten, core is built in full): the days before bound them still.
        union all
        select
            team_id,
            name,
            country,
            is_simulated,
            first_match_on,
            last_match_on
        from {{ this }} as team
        where {{ is_of_changed_team('team') }}
    {% endif %}
)

select
    team_id,
    name,
    country,
    is_simulated,
    min(first_match_on) as first_match_on,
    max(last_match_on) as last_match_on
from named
group by team_id, name, country, is_simulated
