-- one row per competition and season: its league stage
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'season'},
    indexes=[{'columns': ['competition', 'season'], 'unique': true}],
) }}

-- depends_on: {{ ref('match_version') }}
with matches as (
    select * from {{ ref('match') }} as match
    where
        status <> 'superseded'
        and stage = 'league'
        {% if is_incremental() %}and {{ is_of_affected_season('match') }}{% endif %}
)

select
    competition,
    season,
    min(kickoff_on) as first_match_on,
    max(kickoff_on) as last_match_on,
    count(distinct home_team_id) as n_teams,
    count(*) as n_matches,
    count(*) filter (where is_played) as n_played
from matches
group by competition, season
