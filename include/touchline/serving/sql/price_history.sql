-- one row per time at which the prices of a match result were seen to change before kick-off, as seen from the present, and
-- one for the close; of more than 60 times, the last of each sixtieth. The consensus is that of core.match_odds: the
-- source's own average, or the mean of the bookmakers who offered a price at the time. $1 match, $2 present,
-- $3 whose word counts of prices, the first source first
with quotes as materialized (
    select
        seen.seen_at, quote.bookmaker, quote.price_home, quote.price_draw, quote.price_away,
        quote.known_at, quote.observed_at, array_position($3::text[], quote.source) as place, quote.payload_id, quote.quoted_at, quote.row_number
    from landing.odds_observation as quote
    inner join core.match as match on match.match_id = quote.fixture_key
    -- What a publisher's timetable dates before kick-off counts there, though it came after it.
    cross join lateral (
        select case
            when quote.known_at <= match.kickoff_at - interval '1 minute' then quote.known_at
            when quote.source = 'football_data_uk' then quote.quoted_at
        end as seen_at
    ) as seen
    where quote.fixture_key = $1 and quote.market = '1x2' and not quote.is_closing and quote.known_at <= $2
        and seen.seen_at <= match.kickoff_at - interval '1 minute'
        and not exists (
            select from landing.set_aside as aside
            where aside.kind = 'quote' and aside.fixture_key = quote.fixture_key and aside.payload_id = quote.payload_id
                and aside.bookmaker = quote.bookmaker and aside.market = quote.market and aside.line = quote.line
                and aside.is_closing = quote.is_closing
        )
),

-- By windows, not by a join, whose size the planner cannot guess.
numbered as (
    select *, dense_rank() over (order by seen_at) as number from quotes
),

sixtieths as (
    select *, ceil(number * least(1, 60.0 / max(number) over ())) as sixtieth from numbered
),

-- Of what a bookmaker changed within a sixtieth, the last.
changes as materialized (
    select distinct on (bookmaker, sixtieth) * from sixtieths
    order by bookmaker, sixtieth, known_at desc, observed_at desc, place, payload_id desc, quoted_at desc, row_number desc
),

offered as (
    select times.seen_at, standing.*
    from (select sixtieth, max(seen_at) as seen_at from sixtieths group by sixtieth) as times
    cross join lateral (
        select distinct on (bookmaker) bookmaker, price_home, price_draw, price_away
        from changes
        where changes.sixtieth <= times.sixtieth
        order by bookmaker, known_at desc, observed_at desc, place, payload_id desc, quoted_at desc, row_number desc
    ) as standing
    -- A version without prices withdraws the offer.
    where price_home is not null
),

before_kickoff as (
    select
        seen_at, 'prematch' as stage,
        (count(*) filter (where bookmaker not in ('market_average', 'market_maximum')))::int as n_bookmakers,
        coalesce(
            max(price_home) filter (where bookmaker = 'market_average'),
            avg(price_home) filter (where bookmaker <> 'market_maximum')
        ) as price_home,
        coalesce(
            max(price_draw) filter (where bookmaker = 'market_average'),
            avg(price_draw) filter (where bookmaker <> 'market_maximum')
        ) as price_draw,
        coalesce(
            max(price_away) filter (where bookmaker = 'market_average'),
            avg(price_away) filter (where bookmaker <> 'market_maximum')
        ) as price_away,
        max(price_home) as best_home, max(price_draw) as best_draw, max(price_away) as best_away
    from offered
    group by seen_at
),

points as (
    select * from before_kickoff
    union all
    select
        match.kickoff_at, 'closing',
        (count(*) filter (where bookmaker not in ('consensus', 'market_average', 'market_maximum')))::int,
        max(price_home) filter (where bookmaker = 'consensus'), max(price_draw) filter (where bookmaker = 'consensus'),
        max(price_away) filter (where bookmaker = 'consensus'),
        max(price_home) filter (where bookmaker <> 'consensus'), max(price_draw) filter (where bookmaker <> 'consensus'),
        max(price_away) filter (where bookmaker <> 'consensus')
    from core.match_odds as odds
    inner join core.match as match on match.match_id = odds.match_id
    where odds.match_id = $1 and odds.market = '1x2' and odds.stage = 'closing' and odds.known_at <= $2
    group by match.kickoff_at
)

select
    seen_at, stage, n_bookmakers,
    json_build_object('home', fair.p[1], 'draw', fair.p[2], 'away', fair.p[3]) as probabilities,
    json_build_object('home', price_home::real, 'draw', price_draw::real, 'away', price_away::real) as prices,
    json_build_object('home', best_home::real, 'draw', best_draw::real, 'away', best_away::real) as best_prices
from points
cross join lateral (select core.without_overround(price_home, price_draw, price_away) as p offset 0) as fair
where price_draw is not null and fair.p is not null
