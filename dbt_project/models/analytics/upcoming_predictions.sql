-- one row per fixture: the champion's latest prediction, its fair prices and the best price on offer
with predictions as (
    select distinct on (match_id) *
    from {{ ref('prediction_history') }}
    where role = 'champion' and predicted_at <= {{ as_of() }}
    order by match_id, predicted_at desc, prediction_id desc
),

matches as (
    select * from {{ ref('matches') }}
    where not is_played and status = 'scheduled' and kickoff_at > {{ as_of() }}
),

best_prices as (
    select
        match_id,
        max(price_home)::double precision as best_price_home,
        max(price_draw)::double precision as best_price_draw,
        max(price_away)::double precision as best_price_away
    from {{ ref('match_odds') }}
    where market = '1x2' and stage = 'prematch' and bookmaker <> 'consensus'
    group by match_id
)

select
    predictions.prediction_id,
    matches.match_id,
    matches.kickoff_at,
    matches.competition,
    matches.competition_name,
    matches.season,
    matches.stage,
    matches.home_team,
    matches.away_team,
    predictions.p_home,
    predictions.p_draw,
    predictions.p_away,
    predictions.expected_home_goals,
    predictions.expected_away_goals,
    1 / nullif(predictions.p_home, 0) as fair_price_home,
    1 / nullif(predictions.p_draw, 0) as fair_price_draw,
    1 / nullif(predictions.p_away, 0) as fair_price_away,
    best_prices.best_price_home,
    best_prices.best_price_draw,
    best_prices.best_price_away,
    matches.p_market_home,
    matches.p_market_draw,
    matches.p_market_away,
    predictions.model_name,
    predictions.model_version,
    predictions.forecast,
    predictions.rests_on,
    predictions.predicted_at,
    predictions.features_as_of,
    price_age.prices_as_of,
    predictions.rests_on = 'prices' and coalesce(price_age.is_stale, false) as is_stale,
    predictions.is_simulated
from matches
inner join predictions on matches.match_id = predictions.match_id
left join best_prices on matches.match_id = best_prices.match_id
cross join {{ ref('stg_price_age') }} as price_age
