-- one row per fixture ahead of the favourites, the next ones first, with the champion's latest prediction where there is
-- one. $1 present, $2 competitions, $3 teams, $4 kick-off until (null for any), $5 limit
with page as materialized (
    select match_id, kickoff_at, competition, season, home_team, away_team, count(*) over () as n_fixtures
    from core.match
    where status = 'scheduled' and not is_played and kickoff_at > $1
        and (competition = any($2::text[]) or home_team = any($3::text[]) or away_team = any($3::text[]))
        and ($4::timestamptz is null or kickoff_at <= $4)
    order by kickoff_at, competition, home_team, match_id
    limit $5
)

select
    page.*, competition.name as competition_name, odds.*,
    prediction.prediction_id, prediction.predicted_at, prediction.p_home, prediction.p_draw, prediction.p_away
from page
inner join core.competition as competition on competition.competition = page.competition
left join lateral (
    select * from ledger.prediction
    where match_id = page.match_id and role = 'champion' and predicted_at <= $1
    order by predicted_at desc, prediction_id desc
    limit 1
) as prediction on true
left join lateral (
    select
        max(price_home) as best_price_home, max(price_draw) as best_price_draw, max(price_away) as best_price_away
    from core.match_odds
    where match_id = page.match_id and market = '1x2' and stage = 'prematch' and bookmaker <> 'consensus'
) as odds on true
order by page.kickoff_at, page.competition, page.home_team, page.match_id
