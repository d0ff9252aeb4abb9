-- one row per source, country and name used there for a team
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'team'},
    indexes=[{'columns': ['source', 'country', 'alias'], 'unique': true}],
) }}

with versions as (
    select * from {{ ref('match_version') }}
    {% if is_incremental() %}where {{ is_changed('match_id') }}{% endif %}
),

competitions as (
    select * from {{ ref('competition') }}
),

names as (
    select
        source,
        competition,
        home_team as alias,
        home_team_id as team_id
    from versions
    union
    select
        source,
        competition,
        away_team,
        away_team_id
    from versions
)

select
    names.source,
    competitions.country,
    names.alias,
    names.team_id
from names
inner join competitions on names.competition = competitions.competition
{% if is_incremental() %}
    union
    select
        source,
        country,
        alias,
        team_id
    from {{ this }} as team_alias
    where {{ is_of_changed_team('team_alias') }}
{% else %}
    group by names.source, competitions.country, names.alias, names.team_id
{% endif %}
