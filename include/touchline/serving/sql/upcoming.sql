-- one row per fixture, or per fixture and forecast for the baselines, who are several.
-- The kick-off is the match's: it may have been moved since the prediction.
-- $1 role, $2 present, $3 from, $4 to, $5 competition, $6 id of a team
select
    prediction.prediction_id, prediction.match_id, match.kickoff_at, prediction.competition, prediction.season,
    prediction.home_team, prediction.away_team,
    json_build_object('home', p_home, 'draw', p_draw, 'away', p_away) as probabilities,
    prediction.expected_home_goals, prediction.expected_away_goals, prediction.model_name, prediction.model_version,
    prediction.forecast, prediction.rests_on, prediction.role, prediction.predicted_at, prediction.is_simulated,
    competition.name as competition_name, match.stage,
    json_build_object(
        'home', round((1 / nullif(p_home, 0))::numeric, 4)::float8,
        'draw', round((1 / nullif(p_draw, 0))::numeric, 4)::float8,
        'away', round((1 / nullif(p_away, 0))::numeric, 4)::float8
    ) as fair_prices,
    odds.best_prices, odds.market_probabilities, age.prices_as_of,
    prediction.rests_on = 'prices' and coalesce(age.is_stale, false) as is_stale
from core.match as match
inner join core.competition as competition on competition.competition = match.competition
cross join lateral (
    select distinct on (case when role = 'baseline' then forecast end) *
    from ledger.prediction
    where match_id = match.match_id and role = $1 and predicted_at <= $2
    order by case when role = 'baseline' then forecast end, predicted_at desc, prediction_id desc
) as prediction
cross join ops.price_age as age
cross join lateral (
    select
        json_build_object(
            'home', (max(price_home) filter (where bookmaker <> 'consensus'))::real,
            'draw', (max(price_draw) filter (where bookmaker <> 'consensus'))::real,
            'away', (max(price_away) filter (where bookmaker <> 'consensus'))::real
        ) as best_prices,
        case when max(odds.p_home) filter (where bookmaker = 'consensus') is not null then json_build_object(
            'home', max(odds.p_home) filter (where bookmaker = 'consensus'),
            'draw', max(odds.p_draw) filter (where bookmaker = 'consensus'),
            'away', max(odds.p_away) filter (where bookmaker = 'consensus')
        ) end as market_probabilities
    from core.match_odds as odds
    where odds.match_id = match.match_id and odds.market = '1x2' and odds.stage = 'prematch'
) as odds
where match.status = 'scheduled' and not match.is_played and match.kickoff_at > $2
    and ($3::timestamptz is null or match.kickoff_at >= $3)
    and ($4::timestamptz is null or match.kickoff_at <= $4)
    and ($5::text is null or match.competition = $5)
    and ($6::uuid is null or $6 in (match.home_team_id, match.away_team_id))
