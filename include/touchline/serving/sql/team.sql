-- at most one row: a team, its ratings after its last rated match, and its place in its newest season. $1 team
select
    team.team_id, team.name, team.country, strength.elo, strength.pi_home, strength.pi_away, strength.last_kickoff_at,
    newest.competition, competition.name as competition_name, newest.season, standing.position, standing.points,
    standing.n_played
from core.team as team
left join analytics.team_strength as strength on strength.team_id = team.team_id
left join lateral (
    select competition, season from core.match
    where team.team_id in (home_team_id, away_team_id)
    order by kickoff_at desc
    limit 1
) as newest on true
left join core.competition as competition on competition.competition = newest.competition
left join analytics.standings as standing
    on standing.team_id = team.team_id and standing.competition = newest.competition and standing.season = newest.season
where team.team_id = $1
