select
    competition, fixture_key, payload_id, bookmaker, market, line, is_closing,
    format('%%s - %%s, %%s %%s: the implied probabilities sum to %%s', home_team, away_team, bookmaker, market,
        round(overround::numeric, 3)) as reason
from fresh_price
where bookmaker <> 'market_maximum' and overround not between
    case market when '1x2' then 0.98 else 0.97 end and case market when '1x2' then 1.40 else 1.25 end
