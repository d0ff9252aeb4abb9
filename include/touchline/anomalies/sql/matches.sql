-- one row per match known, from so far back until so far ahead, with its result as far as that was known
select match.match_id, match.competition, match.season, match.home_team, match.away_team, match.kickoff_at,
    match_result.known_at as result_known_at, match_result.home_goals, match_result.away_goals, home_shots, away_shots,
    home_shots_on_target, away_shots_on_target, home_corners, away_corners, home_fouls, away_fouls,
    home_yellow_cards, away_yellow_cards, home_red_cards, away_red_cards
from core.match
left join core.match_result on match.match_id = match_result.match_id and match_result.known_at <= %(as_of)s
where match.known_at <= %(as_of)s and match.kickoff_at > %(since)s and match.status <> 'superseded'
    and match.kickoff_at <= %(as_of)s::timestamptz + %(ahead)s::interval
order by match.kickoff_at, match.match_id
