-- one row per match, bookmaker, market, line and stage: the last quote before kick-off, and the closing one
with matches as not materialized (
    select * from {{ ref('matches') }}
),

quotes as (
    select * from {{ ref('match_odds') }}
)

select
    quotes.match_id,
    matches.competition,
    matches.competition_name,
    matches.season,
    matches.kickoff_at,
    matches.home_team,
    matches.away_team,
    quotes.bookmaker,
    quotes.market,
    quotes.line,
    quotes.stage,
    quotes.price_home,
    quotes.price_draw,
    quotes.price_away,
    quotes.price_over,
    quotes.price_under,
    quotes.overround,
    quotes.p_home,
    quotes.p_draw,
    quotes.p_away,
    quotes.p_over,
    quotes.p_under,
    quotes.quoted_at,
    quotes.known_at,
    matches.is_simulated
from quotes
inner join matches on quotes.match_id = matches.match_id
