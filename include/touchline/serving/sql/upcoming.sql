-- one row per fixture, or per fixture and forecast for the baselines, who are several, the next ones first.
-- The kick-off is the match's: it may have been moved since the prediction.
-- $1 role, $2 present, $3 from, $4 to, $5 competition, $6 limit, $7 offset
with page as materialized (
    select
        prediction.prediction_id, prediction.match_id, match.kickoff_at, prediction.competition, prediction.season,
        prediction.home_team, prediction.away_team, prediction.p_home, prediction.p_draw, prediction.p_away,
        prediction.expected_home_goals, prediction.expected_away_goals, prediction.model_name,
        prediction.model_version, prediction.forecast, prediction.rests_on, prediction.role, prediction.predicted_at,
        prediction.is_simulated, competition.name as competition_name, match.stage
    from core.match as match
    inner join core.competition as competition on competition.competition = match.competition
    cross join lateral (
        select distinct on (case when role = 'baseline' then forecast end) *
        from ledger.prediction
        where match_id = match.match_id and role = $1 and predicted_at <= $2
        order by case when role = 'baseline' then forecast end, predicted_at desc, prediction_id desc
    ) as prediction
    where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $2
        and ($3::timestamptz is null or match.kickoff_at >= $3)
        and ($4::timestamptz is null or match.kickoff_at <= $4)
        and ($5::text is null or match.competition = $5)
    order by match.kickoff_at, match.competition, match.home_team, prediction.forecast, prediction.prediction_id
    limit $6 offset $7
)

select page.*, odds.*, age.prices_as_of, page.rests_on = 'prices' and coalesce(age.is_stale, false) as is_stale
from page
cross join ops.price_age as age
left join lateral (
    select
        max(price_home) filter (where bookmaker <> 'consensus') as best_price_home,
        max(price_draw) filter (where bookmaker <> 'consensus') as best_price_draw,
        max(price_away) filter (where bookmaker <> 'consensus') as best_price_away,
        max(p_home) filter (where bookmaker = 'consensus') as p_market_home,
        max(p_draw) filter (where bookmaker = 'consensus') as p_market_draw,
        max(p_away) filter (where bookmaker = 'consensus') as p_market_away
    from core.match_odds
    where match_id = page.match_id and market = '1x2' and stage = 'prematch'
) as odds on true
order by page.kickoff_at, page.competition, page.home_team, page.forecast, page.prediction_id
