with priced as (
    -- One number groups a million rows faster than eight columns do.
    select
        hash_record_extended(
            row(competition, payload_id, bookmaker, is_closing, (kickoff_on - date '1990-01-01') / 7, price_home,
                price_draw, price_away), 0) as same_prices
    from fresh_price
    where market = '1x2' and kickoff_at > %(as_of)s::timestamptz - interval '2 years'
),

repeated as materialized (
    select same_prices, count(*) as n_alike from priced group by same_prices having count(*) >= 5
),

alike as materialized (
    select fresh.*, (kickoff_on - date '1990-01-01') / 7 as week, n_alike
    from fresh_price as fresh
    inner join repeated
        on repeated.same_prices = hash_record_extended(
            row(competition, payload_id, bookmaker, is_closing, (kickoff_on - date '1990-01-01') / 7, price_home,
                price_draw, price_away), 0)
    where market = '1x2' and kickoff_at > %(as_of)s::timestamptz - interval '2 years'
),

weeks as (
    select alike.payload_id, alike.competition, alike.bookmaker, alike.is_closing, alike.week, of_week.n as n_quotes
    from (select distinct payload_id, competition, bookmaker, is_closing, week from alike) as alike
    inner join lateral (
        select count(*) as n from fresh_price as other
        where other.payload_id = alike.payload_id and other.competition = alike.competition
            and other.bookmaker = alike.bookmaker and other.is_closing = alike.is_closing
            and other.market = '1x2' and other.kickoff_at > %(as_of)s::timestamptz - interval '2 years'
            and (other.kickoff_on - date '1990-01-01') / 7 = alike.week
    ) as of_week on true
)

select
    alike.competition, fixture_key, alike.payload_id, alike.bookmaker, market, line, alike.is_closing,
    format('%%s - %%s, %%s: %%s/%%s/%%s, as %%s of the %%s matches of the week', home_team, away_team, alike.bookmaker,
        price_home, price_draw, price_away, n_alike, n_quotes) as reason
from alike
inner join weeks using (payload_id, competition, bookmaker, is_closing, week)
where n_alike > 0.6 * n_quotes
    -- Where every bookmaker says the same of every match, there is nobody to tell a placeholder from a price.
    and exists (
        select from fresh_price as other
        where other.payload_id = alike.payload_id and other.competition = alike.competition
            and other.bookmaker <> alike.bookmaker and other.is_closing = alike.is_closing
            and other.market = '1x2' and other.kickoff_at > %(as_of)s::timestamptz - interval '2 years'
            and (other.kickoff_on - date '1990-01-01') / 7 = alike.week
        group by other.bookmaker
        having count(distinct other.price_home) > 1
    )
