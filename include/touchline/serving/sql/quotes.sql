-- one row per bookmaker, market, line and stage of a match. $1 match
select
    bookmaker, market, line, stage, price_home, price_draw, price_away, price_over, price_under, overround,
    quoted_at, known_at
from core.match_odds
where match_id = $1
order by market, line, stage desc, bookmaker
