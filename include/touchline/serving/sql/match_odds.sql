-- one row per bookmaker, market, line and stage of a match. $1 match
select
    bookmaker, market, line, stage, price_home::real as price_home, price_draw::real as price_draw,
    price_away::real as price_away, price_over::real as price_over, price_under::real as price_under, overround,
    quoted_at, known_at
from (
    select
        bookmaker, market, line, stage, price_home, price_draw, price_away, price_over, price_under, overround,
        quoted_at, known_at
    from core.match_odds
    where match_id = $1
    union all
    select
        bookmaker, market, line, 'opening', price_home, price_draw, price_away, price_over, price_under, overround,
        quoted_at, known_at
    from core.opening_odds
    where match_id = $1
) as quote
