-- one row per rated match of a team since a time: its ratings after the match, oldest first. $1 team, $2 time
select match_id, kickoff_at, elo, pi_home, pi_away
from analytics.team_ratings
where team_id = $1 and kickoff_at >= $2
order by kickoff_at, match_id
