select
    competition, fixture_key, payload_id, bookmaker, market, line, is_closing,
    format('%%s - %%s, %%s %%s: line %%s', home_team, away_team, bookmaker, market, line) as reason
from fresh_price
where (market = 'over_under' and line not between 0.25 and 10) or (market = 'asian_handicap' and abs(line) > 6)
