-- one row per match with a known result: the result, closing prices, and the best prices before kick-off and at the
-- close
with best as (
    select
        match_id, stage,
        max(price_home)::float8 as price_home, max(price_draw)::float8 as price_draw,
        max(price_away)::float8 as price_away
    from core.match_odds
    where market = '1x2' and bookmaker not in ('consensus', 'market_average')
    group by match_id, stage
)

select
    match.match_id::text as match_id, match.competition, match.season, match.tier, match.home_team,
    match.away_team, result.home_goals::int as home_goals, result.away_goals::int as away_goals,
    array_position(array['home', 'draw', 'away'], result.outcome) - 1 as outcome,
    closing.price_home::float8 as closing_price_home, closing.price_draw::float8 as closing_price_draw,
    closing.price_away::float8 as closing_price_away,
    pinnacle.price_home::float8 as closing_pinnacle_home,
    pinnacle.price_draw::float8 as closing_pinnacle_draw,
    pinnacle.price_away::float8 as closing_pinnacle_away,
    best.price_home as best_price_home, best.price_draw as best_price_draw, best.price_away as best_price_away,
    best_closing.price_home as best_closing_price_home, best_closing.price_draw as best_closing_price_draw,
    best_closing.price_away as best_closing_price_away
from core.match as match
inner join core.match_result as result using (match_id)
left join core.match_odds as closing
    on closing.match_id = match.match_id and closing.market = '1x2' and closing.stage = 'closing'
    and closing.bookmaker = 'consensus'
left join core.match_odds as pinnacle
    on pinnacle.match_id = match.match_id and pinnacle.market = '1x2' and pinnacle.stage = 'closing'
    and pinnacle.bookmaker = 'PS'
left join best on best.match_id = match.match_id and best.stage = 'prematch'
left join best as best_closing on best_closing.match_id = match.match_id and best_closing.stage = 'closing'
where result.known_at <= %(as_of)s
    -- A result given under an earlier day, which was corrected since, was in the form of its own sides before kick-off.
    and not exists (
        select from core.result_version as early
        where early.match_id = match.match_id and early.valid_from < match.kickoff_at
    )
