-- at most one row: a match with its result. $1 id
select
    match.match_id, match.competition, competition.name as competition_name, match.season, match.home_team,
    match.away_team, match.kickoff_at, match.is_kickoff_time_known, match.status, match.stage, match.is_simulated,
    result.home_goals, result.away_goals, result.outcome, result.known_at as result_known_at
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
left join core.match_result as result on result.match_id = match.match_id
where match.match_id = $1
