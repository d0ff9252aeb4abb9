-- one row per fixture ahead of the favourites, the next ones first, with the champion's latest prediction where there is
-- one. $1 present, $2 competitions, $3 teams, $4 kick-off until (null for any), $5 limit
select
    match.match_id, match.kickoff_at, match.competition, competition.name as competition_name, match.season,
    match.home_team, match.away_team, prediction.prediction_id, prediction.predicted_at,
    prediction.p_home, prediction.p_draw, prediction.p_away,
    odds.best_price_home, odds.best_price_draw, odds.best_price_away,
    count(*) over () as n_fixtures
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
left join lateral (
    select prediction_id, predicted_at, p_home, p_draw, p_away from ledger.prediction
    where match_id = match.match_id and role = 'champion' and predicted_at <= $1
    order by predicted_at desc, prediction_id desc
    limit 1
) as prediction on true
left join lateral (
    select
        max(price_home) as best_price_home, max(price_draw) as best_price_draw, max(price_away) as best_price_away
    from core.match_odds
    where match_id = match.match_id and market = '1x2' and stage = 'prematch' and bookmaker <> 'consensus'
) as odds on true
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $1
    and (match.competition = any($2::text[]) or match.home_team = any($3::text[]) or match.away_team = any($3::text[]))
    and ($4::timestamptz is null or match.kickoff_at <= $4)
order by match.kickoff_at, match.competition, match.home_team, match.match_id
limit $5
