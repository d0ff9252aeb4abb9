-- one row per competition and season
{{ config(indexes=[{'columns': ['competition', 'season'], 'unique': true}]) }}

with matches as (
    select * from {{ ref('match') }}
    where status <> 'superseded'
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
