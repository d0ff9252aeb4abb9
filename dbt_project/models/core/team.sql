-- one row per team: a name within a country
{{ config(indexes=[{'columns': ['team_id'], 'unique': true}]) }}

with matches as (
    select * from {{ ref('match') }}
),

appearances as (
    select
        home_team_id as team_id,
        home_team as name,
        country,
        is_simulated,
        kickoff_on
    from matches
    union all
    select
        away_team_id,
        away_team,
        country,
        is_simulated,
        kickoff_on
    from matches
)

select
    team_id,
    name,
    country,
    is_simulated,
    min(kickoff_on) as first_match_on,
    max(kickoff_on) as last_match_on
from appearances
group by team_id, name, country, is_simulated
