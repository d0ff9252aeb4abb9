-- one row per match: the last ones that a team played before a time, latest first. $1 team, $2 time, $3 how many
select match_id, kickoff_at, competition, is_home, opponent, goals_for, goals_against, result
from analytics.team_matches
where team_id = $1 and kickoff_at < $2
order by kickoff_at desc, match_id
limit $3
