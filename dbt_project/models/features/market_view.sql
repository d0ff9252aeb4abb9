-- one row per match with pre-match prices: what the market thought before kick-off
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[{'columns': ['match_id'], 'unique': true}],
) }}

with odds as (
    select * from {{ ref('match_odds') }}
    where
        stage = 'prematch'
        {% if is_incremental() %}and {{ is_changed('match_id') }}{% endif %}
),

consensus as (
    select
        match_id,
        max(quoted_at) filter (where market = '1x2') as quoted_at,
        max(price_home) filter (where market = '1x2') as price_home,
        max(price_draw) filter (where market = '1x2') as price_draw,
        max(price_away) filter (where market = '1x2') as price_away,
        max(price_over) filter (where market = 'over_under' and line = 2.5) as price_over,
        max(price_under) filter (where market = 'over_under' and line = 2.5) as price_under,
        max(line) filter (where market = 'asian_handicap') as handicap_line,
        max(price_home) filter (where market = 'asian_handicap') as handicap_home,
        max(price_away) filter (where market = 'asian_handicap') as handicap_away
    from odds
    where bookmaker = 'consensus'
    group by match_id
),

-- Single prices of the match result that say more than the average: the sharpest book, the largest, the best on offer.
single as (
    select
        match_id,
        max(price_home) filter (where bookmaker = 'PS') as pinnacle_home,
        max(price_draw) filter (where bookmaker = 'PS') as pinnacle_draw,
        max(price_away) filter (where bookmaker = 'PS') as pinnacle_away,
        max(price_home) filter (where bookmaker = 'B365') as b365_home,
        max(price_draw) filter (where bookmaker = 'B365') as b365_draw,
        max(price_away) filter (where bookmaker = 'B365') as b365_away,
        max(price_home) filter (where bookmaker = 'market_maximum') as maximum_home,
        max(price_draw) filter (where bookmaker = 'market_maximum') as maximum_draw,
        max(price_away) filter (where bookmaker = 'market_maximum') as maximum_away
    from odds
    where market = '1x2'
    group by match_id
),

-- How far bookmakers disagree about the home side, each without its own overround.
spread as (
    select
        match_id,
        count(*) as n_bookmakers,
        max(p_home) - min(p_home) as spread
    from odds
    where market = '1x2' and bookmaker not in ('consensus', 'market_average', 'market_maximum')
    group by match_id
)

select
    consensus.*,
    single.pinnacle_home,
    single.pinnacle_draw,
    single.pinnacle_away,
    single.b365_home,
    single.b365_draw,
    single.b365_away,
    single.maximum_home,
    single.maximum_draw,
    single.maximum_away,
    coalesce(spread.n_bookmakers, 0) as n_bookmakers,
    spread.spread
from consensus
left join single on consensus.match_id = single.match_id
left join spread on consensus.match_id = spread.match_id
