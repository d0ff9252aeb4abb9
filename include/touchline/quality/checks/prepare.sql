-- What is new since the gate last passed, and what it is compared with. Facts in quarantine are no measure for others.
create temporary table fresh_fixture on commit drop as
select * from landing.fixture_observation
where payload_id > %(since)s and observed_at <= %(as_of)s;

create temporary table fresh_score on commit drop as
select * from landing.score_observation
where payload_id > %(since)s and observed_at <= %(as_of)s;

create temporary table fresh_quote on commit drop as
select * from landing.odds_observation
where payload_id > %(since)s and observed_at <= %(as_of)s
    -- Payloads are stored in order of time: only the months since then are read.
    and observed_at >= (select min(observed_at) from landing.payload where payload_id > %(since)s);

create temporary table subject_key on commit drop as
select fixture_key from fresh_fixture
union
select fixture_key from fresh_score
union
select fixture_key from fresh_quote;
analyze subject_key;

create temporary table quarantined on commit drop as
select distinct kind, fixture_key, payload_id from landing.quarantined_fact where kind <> 'quote';

-- one row per match that something new was said about: the last word on it
create temporary table subject on commit drop as
select distinct on (observed.fixture_key) observed.*
from subject_key
inner join landing.fixture_observation as observed using (fixture_key)
where observed.observed_at <= %(as_of)s and not exists (
    select from quarantined as bad
    where bad.kind = 'fixture' and bad.fixture_key = observed.fixture_key and bad.payload_id = observed.payload_id
)
order by observed.fixture_key, observed.payload_id desc;
create index on subject (fixture_key);

-- one row per match near the new ones in time: the last word on it; firm once nothing but a mistake would undo it
create temporary table known on commit drop as
select distinct on (observed.fixture_key)
    observed.*,
    observed.source_match_id is not null or exists (
        select from landing.score_observation as score where score.fixture_key = observed.fixture_key
    ) as is_firm
from landing.fixture_observation as observed
inner join (
    select competition, min(kickoff_on) - 21 as since_on, max(kickoff_on) + 21 as until_on
    from fresh_fixture group by competition
) as span on observed.competition = span.competition and observed.kickoff_on between span.since_on and span.until_on
where observed.observed_at <= %(as_of)s and not exists (
    select from quarantined as bad
    where bad.kind = 'fixture' and bad.fixture_key = observed.fixture_key and bad.payload_id = observed.payload_id
)
order by observed.fixture_key, observed.payload_id desc;
create index on known (competition, kickoff_on);

create temporary table appearance on commit drop as
select fixture_key, competition, kickoff_on, team, home_team, away_team, payload_id, row_number, is_firm
from known cross join lateral unnest(array[home_team, away_team]) as team
where status not in ('postponed', 'cancelled', 'abandoned');

-- one row per new quote with the logit of its first and last probability (draw left out), overround removed
create temporary table fresh_price on commit drop as
select
    fresh_quote.*,
    subject.competition,
    subject.home_team,
    subject.away_team,
    subject.kickoff_at,
    subject.kickoff_on,
    price.overround,
    ln(price.first / (price.overround - price.first)) as first_logit,
    ln(price.last / (price.overround - price.last)) as last_logit
from fresh_quote
inner join subject using (fixture_key)
cross join lateral (
    select
        1 / coalesce(price_home, price_over)::float8 as first,
        1 / coalesce(price_away, price_under)::float8 as last,
        1 / coalesce(price_home, price_over)::float8 + coalesce(1 / price_draw::float8, 0)
        + 1 / coalesce(price_away, price_under)::float8 as overround
) as price;

-- one row per match, market, line and stage with at least four bookmakers: the middle of what they say
create temporary table pack on commit drop as
with latest as (
    select distinct on (quote.fixture_key, bookmaker, market, line, is_closing)
        quote.*,
        1 / coalesce(price_home, price_over)::float8 as first,
        1 / coalesce(price_away, price_under)::float8 as last,
        1 / coalesce(price_home, price_over)::float8 + coalesce(1 / price_draw::float8, 0)
        + 1 / coalesce(price_away, price_under)::float8 as overround
    from landing.odds_observation as quote
    inner join (select distinct fixture_key from fresh_price) as wanted on quote.fixture_key = wanted.fixture_key
    where bookmaker not in ('market_maximum', 'market_average') and quote.observed_at <= %(as_of)s
        and quote.observed_at >= (select min(observed_at) - interval '30 days' from fresh_quote)
    order by quote.fixture_key, bookmaker, market, line, is_closing, quote.payload_id desc, quote.quoted_at desc
)

select
    fixture_key, market, line, is_closing,
    count(*) as n_bookmakers,
    percentile_cont(0.5) within group (order by ln(first / (overround - first))) as first_logit,
    percentile_cont(0.5) within group (order by ln(last / (overround - last))) as last_logit
from latest
group by fixture_key, market, line, is_closing
having count(*) >= 4;
create index on pack (fixture_key);
create index on fresh_price (payload_id);
analyze fresh_fixture, fresh_score, fresh_quote, subject, known, appearance, fresh_price, pack;
