-- one row per match, version of its result and stage: the prices of the match result known when the result was
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[{'columns': ['match_id', 'valid_from', 'stage'], 'unique': true}],
) }}

with results as (
    select
        match_id,
        valid_from,
        kickoff_at
    from {{ ref('result_version') }}
    {% if is_incremental() %}where {{ is_changed('match_id') }}{% endif %}
),

quotes as (
    select * from {{ ref('stg_odds_observation') }}
    where market = '1x2' {% if is_incremental() %}and {{ is_changed('fixture_key') }}{% endif %}
),

seen as (
    {{ offers_seen_before_kickoff('quotes', 'results') }}
),

-- A price that came after the result would change what was known then.
known as (
    select distinct on (results.match_id, results.valid_from, quotes.is_closing, quotes.bookmaker)
        results.match_id,
        results.valid_from,
        case when quotes.is_closing then 'closing' else 'prematch' end as stage,
        quotes.*
    from results
    inner join quotes on results.match_id = quotes.fixture_key
    where
        quotes.known_at <= results.valid_from
        and (quotes.is_closing or {{ is_prematch('quotes', 'results.kickoff_at', 'seen') }})
    order by
        results.match_id asc, results.valid_from asc, quotes.is_closing asc, quotes.bookmaker asc,
        {{ latest_version('odds') }}
)

-- A version without prices withdraws them. The source's own average wins over ours. Pinnacle's price is the sharpest
-- there is at the close.
select
    match_id,
    valid_from,
    stage,
    {% for outcome in ['home', 'draw', 'away'] %}
        coalesce(
            max(price_{{ outcome }}) filter (where bookmaker = 'market_average'),
            avg(price_{{ outcome }}) filter (where bookmaker not in ('market_average', 'market_maximum'))
        )::double precision as price_{{ outcome }},
    {% endfor %}
    max(price_home) filter (where bookmaker = 'PS')::double precision as pinnacle_home,
    max(price_draw) filter (where bookmaker = 'PS')::double precision as pinnacle_draw,
    max(price_away) filter (where bookmaker = 'PS')::double precision as pinnacle_away
from known
where price_home > 1 and price_draw > 1 and price_away > 1
group by match_id, valid_from, stage
