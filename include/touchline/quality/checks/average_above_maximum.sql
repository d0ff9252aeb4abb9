select
    fresh.competition, fresh.fixture_key, fresh.payload_id, fresh.bookmaker, fresh.market, fresh.line, fresh.is_closing,
    format('%%s - %%s, %%s: average %%s/%%s, best %%s/%%s', fresh.home_team, fresh.away_team, fresh.market,
        coalesce(fresh.price_home, fresh.price_over), coalesce(fresh.price_away, fresh.price_under),
        coalesce(best.price_home, best.price_over), coalesce(best.price_away, best.price_under)) as reason
from fresh_price as fresh
inner join fresh_price as best using (fixture_key, payload_id, market, line, is_closing)
where fresh.bookmaker = 'market_average' and best.bookmaker = 'market_maximum'
    and (
        coalesce(fresh.price_home, fresh.price_over) > 1.02 * coalesce(best.price_home, best.price_over)
        or coalesce(fresh.price_away, fresh.price_under) > 1.02 * coalesce(best.price_away, best.price_under)
    )
