select
    competition, fixture_key, payload_id, bookmaker, market, line, is_closing,
    format('%%s - %%s, %%s %%s: quoted %%s, kick-off %%s UTC', home_team, away_team, bookmaker, market,
        to_char(quoted_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
        to_char(kickoff_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as reason
from fresh_price
where not is_closing and quoted_at >= kickoff_at
