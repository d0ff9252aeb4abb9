-- one row per match, bookmaker, market, line and stage: the last quote known before kick-off, and the closing one
{{ config(
    materialized='incremental',
    incremental_strategy='replace',
    meta={'replaces': 'changed'},
    indexes=[{'columns': ['match_id', 'market', 'stage', 'bookmaker', 'line'], 'unique': true}],
) }}

with observations as (
    select * from {{ ref('stg_odds_observation') }}
    {% if is_incremental() %}where {{ is_changed('fixture_key') }}{% endif %}
),

matches as (
    select
        match_id,
        kickoff_at
    from {{ ref('match') }}
),

seen as (
    {{ offers_seen_before_kickoff('observations', 'matches') }}
),

usable as (
    select
        observations.*,
        matches.kickoff_at,
        case when observations.is_closing then 'closing' else 'prematch' end as stage
    from observations
    inner join matches on observations.fixture_key = matches.match_id
    where observations.is_closing or {{ is_prematch('observations', 'matches.kickoff_at', 'seen') }}
),

versions as (
    select distinct on (fixture_key, bookmaker, market, line, stage) *
    from usable
    order by fixture_key, bookmaker, market, line, stage, {{ latest_version('odds') }}, quoted_at desc
),

-- A version without prices withdraws the line.
latest as (
    select
        fixture_key,
        bookmaker,
        market,
        line,
        stage,
        price_home,
        price_draw,
        price_away,
        price_over,
        price_under,
        quoted_at,
        case
            when stage = 'prematch' and known_at > {{ last_minute('kickoff_at') }} then quoted_at else known_at
        end as known_at
    from versions
    where coalesce(price_home, price_over) is not null
),

averaged as (
    select
        fixture_key,
        market,
        line,
        stage,
        avg(price_home) as price_home,
        avg(price_draw) as price_draw,
        avg(price_away) as price_away,
        avg(price_over) as price_over,
        avg(price_under) as price_under,
        count(*) as n_bookmakers,
        false as is_given,
        max(quoted_at) as quoted_at,
        max(known_at) as known_at
    from latest
    where bookmaker not in ('market_average', 'market_maximum')
    group by fixture_key, market, line, stage
),

given as (
    select
        fixture_key,
        market,
        line,
        stage,
        price_home,
        price_draw,
        price_away,
        price_over,
        price_under,
        null::bigint as n_bookmakers,
        true as is_given,
        quoted_at,
        known_at
    from latest
    where bookmaker = 'market_average'
),

-- The source's own average wins; without it, the line that most bookmakers quote.
consensus as (
    select distinct on (fixture_key, market, stage) *
    from (
        select * from averaged
        union all
        select * from given
    ) as candidates
    order by fixture_key, market, stage, is_given desc, n_bookmakers desc, line
),

quotes as (
    select
        fixture_key as match_id,
        bookmaker,
        market,
        line,
        stage,
        price_home,
        price_draw,
        price_away,
        price_over,
        price_under,
        quoted_at,
        known_at
    from latest
    union all
    select
        fixture_key,
        'consensus' as bookmaker,
        market,
        line,
        stage,
        price_home,
        price_draw,
        price_away,
        price_over,
        price_under,
        quoted_at,
        known_at
    from consensus
),

-- Set apart by `offset`, or each of the columns below would remove the overround again.
fair as (
    select
        *,
        case
            when market <> '1x2'
                then core.without_overround(coalesce(price_home, price_over), null, coalesce(price_away, price_under))
            when price_draw is not null then core.without_overround(price_home, price_draw, price_away)
        end as p
    from quotes
    offset 0 -- noqa: AM09
)

select
    match_id,
    bookmaker,
    market,
    line,
    stage,
    price_home,
    price_draw,
    price_away,
    price_over,
    price_under,
    quoted_at,
    known_at,
    coalesce(1 / price_home, 0) + coalesce(1 / price_draw, 0) + coalesce(1 / price_away, 0)
    + coalesce(1 / price_over, 0) + coalesce(1 / price_under, 0) as overround,
    case when price_home is not null then p[1] end as p_home,
    p[2] as p_draw,
    case when price_home is not null then p[3] end as p_away,
    case when price_over is not null then p[1] end as p_over,
    case when price_over is not null then p[3] end as p_under
from fair
