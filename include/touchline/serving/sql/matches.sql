-- one row per match, played or ahead
-- $1 competition, $2 season, $3 from, $4 to (of the kick-off), $5 id of a team, $6 status
select
    match.match_id, match.competition, competition.name as competition_name, match.season, match.home_team_id,
    match.home_team, match.away_team_id, match.away_team, match.kickoff_at, match.is_kickoff_time_known, match.status,
    match.stage, match.is_simulated,
    case when result.outcome is not null then json_build_object(
        'home_goals', result.home_goals, 'away_goals', result.away_goals, 'outcome', result.outcome,
        'known_at', result.known_at
    ) end as result
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
left join core.match_result as result on result.match_id = match.match_id
where ($1::text is null or match.competition = $1)
    and ($2::text is null or match.season = $2)
    and ($3::timestamptz is null or match.kickoff_at >= $3)
    and ($4::timestamptz is null or match.kickoff_at <= $4)
    and ($5::uuid is null or $5 in (match.home_team_id, match.away_team_id))
    and ($6::text is null or match.status = $6)
