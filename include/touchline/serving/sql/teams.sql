-- one row per team, with its ratings after its last rated match. $1 competition, of whose newest season they are, or null
select
    team.team_id, team.name, team.country, strength.elo, strength.pi_home, strength.pi_away, strength.last_kickoff_at,
    team.is_simulated
from core.team as team
left join analytics.team_strength as strength on strength.team_id = team.team_id
where $1::text is null or team.team_id in (
    select unnest(array[home_team_id, away_team_id]) from core.match
    where competition = $1 and season = (select max(season) from core.match where competition = $1)
)
