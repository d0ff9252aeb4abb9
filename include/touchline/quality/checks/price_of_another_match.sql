select
    fresh.competition, fresh.fixture_key, fresh.payload_id, fresh.bookmaker, fresh.market, fresh.line, fresh.is_closing,
    format('%%s - %%s, %%s %%s: home (over) %%s and away (under) %%s, by %%s others %%s and %%s', home_team, away_team,
        fresh.bookmaker, fresh.market,
        round((1 / (1 + exp(-fresh.first_logit)))::numeric, 2), round((1 / (1 + exp(-fresh.last_logit)))::numeric, 2),
        pack.n_bookmakers - 1,
        round((1 / (1 + exp(-pack.first_logit)))::numeric, 2), round((1 / (1 + exp(-pack.last_logit)))::numeric, 2)
    ) as reason
from fresh_price as fresh
inner join pack using (fixture_key, market, line, is_closing)
where greatest(abs(fresh.first_logit - pack.first_logit), abs(fresh.last_logit - pack.last_logit)) > 0.9
    and greatest(abs(fresh.first_logit - pack.last_logit), abs(fresh.last_logit - pack.first_logit)) > 0.25
    and fresh.bookmaker <> 'market_maximum'
