-- one row per id that has a match: its result, the last quotes, and every prediction of it, latest first. $1 ids
select
    match.match_id as key, match.match_id, match.competition, competition.name as competition_name, match.season,
    match.home_team_id, match.home_team, match.away_team_id, match.away_team, match.kickoff_at,
    match.is_kickoff_time_known, match.status, match.stage, match.is_simulated,
    case when result.outcome is not null then json_build_object(
        'home_goals', result.home_goals, 'away_goals', result.away_goals, 'outcome', result.outcome,
        'known_at', result.known_at
    ) end as result,
    coalesce((
        select json_agg(quote order by market, line, stage desc, bookmaker)
        from (
            select
                bookmaker, market, line, stage, price_home::real as price_home, price_draw::real as price_draw,
                price_away::real as price_away, price_over::real as price_over, price_under::real as price_under,
                overround, quoted_at, known_at
            from core.match_odds
            where match_odds.match_id = match.match_id
        ) as quote
    ), '[]') as quotes,
    coalesce((
        select json_agg(made order by predicted_at desc, role, forecast, prediction_id desc)
        from (
            select
                prediction_id, match_id, kickoff_at, competition, season, home_team, away_team,
                json_build_object('home', p_home, 'draw', p_draw, 'away', p_away) as probabilities,
                expected_home_goals, expected_away_goals, model_name, model_version, forecast, rests_on, role,
                predicted_at, is_simulated
            from ledger.prediction
            where prediction.match_id = match.match_id
        ) as made
    ), '[]') as predictions
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
left join core.match_result as result on result.match_id = match.match_id
where match.match_id = any($1::uuid[])
