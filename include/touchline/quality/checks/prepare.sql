-- What the gate has not looked at yet, and what it is compared with. Facts in quarantine are no measure for others.
-- one row per payload, and per replay of a payload, of which only what was known from then on is new
create temporary table fresh_input on commit drop as
select kind, input_id, payload_id, observed_at, coalesce(known_since, '-infinity') as known_since
from landing.input
-- What a person accepted is not judged again.
where kind <> 'acceptance' and used_from <= %(as_of)s and not exists (
    select from ops.seen_input as seen
    where seen.consumer = 'check_landing' and seen.kind = input.kind and seen.input_id = input.input_id
        and seen.as_of <= %(as_of)s
);

create temporary table fresh_payload on commit drop as
select payload_id, min(observed_at) as observed_at, min(known_since) as known_since, bool_or(kind = 'payload') as is_whole
from fresh_input group by payload_id;
create unique index on fresh_payload (payload_id);
analyze fresh_payload;

create temporary table fresh_fixture on commit drop as
select fixture.* from landing.fixture_observation as fixture
inner join fresh_payload using (payload_id)
-- That there is no such match is nothing that could be wrong with it.
where fixture.known_at between fresh_payload.known_since and %(as_of)s and fixture.status <> 'withdrawn';

create temporary table fresh_score on commit drop as
select score.* from landing.score_observation as score
inner join fresh_payload using (payload_id)
where score.known_at between fresh_payload.known_since and %(as_of)s;

create temporary table fresh_quote on commit drop as
select quote.* from landing.odds_observation as quote
inner join fresh_payload using (payload_id)
where quote.known_at between fresh_payload.known_since and %(as_of)s
    -- Only the months of these payloads are read.
    and quote.observed_at between (select min(observed_at) from fresh_payload)
    and (select max(observed_at) from fresh_payload);

create temporary table subject_key on commit drop as
select fixture_key from fresh_fixture
union
select fixture_key from fresh_score
union
select fixture_key from fresh_quote;
analyze subject_key;

create temporary table quarantined on commit drop as
select distinct kind, fixture_key, payload_id from landing.set_aside where kind <> 'quote';

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
select * from (
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
    order by observed.fixture_key, observed.payload_id desc
) as last_word
where status <> 'withdrawn';
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
) as price
-- A version without prices withdraws a line; there is nothing to judge.
where price.first is not null;

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
    order by
        quote.fixture_key, bookmaker, market, line, is_closing, quote.observed_at desc,
        array_position(%(odds)s::text[], quote.source), quote.payload_id desc, quote.quoted_at desc
)

select
    fixture_key, market, line, is_closing,
    count(*) as n_bookmakers,
    percentile_cont(0.5) within group (order by ln(first / (overround - first))) as first_logit,
    percentile_cont(0.5) within group (order by ln(last / (overround - last))) as last_logit
from latest
where first is not null
group by fixture_key, market, line, is_closing
having count(*) >= 4;
create index on pack (fixture_key);
create index on fresh_price (payload_id);
-- one row per new kick-off and match that was announced before: by how much it moved, and whether its body did
create temporary table kickoff_move on commit drop as
with compared as (
    select
        fresh.*,
        before.kickoff_at as kickoff_before,
        before.source as source_before,
        extract(epoch from fresh.kickoff_at - before.kickoff_at) / 3600 as hours
    from fresh_fixture as fresh
    inner join lateral (
        select kickoff_at, source from landing.fixture_observation as earlier
        where earlier.fixture_key = fresh.fixture_key and earlier.payload_id < fresh.payload_id
            and earlier.is_kickoff_time_known and not exists (
                select from quarantined as bad
                where bad.kind = 'fixture' and bad.fixture_key = earlier.fixture_key
                    and bad.payload_id = earlier.payload_id
            )
        order by earlier.payload_id desc limit 1
    ) as before on true
    where fresh.is_kickoff_time_known and fresh.status not in ('postponed', 'cancelled', 'suspended')
),

bodies as (
    select
        payload_id, competition,
        mode() within group (order by hours) as usual_hours,
        count(*) as n,
        count(*) filter (where hours <> 0 and hours = trunc(hours) and abs(hours) <= 12) as n_by_hours
    from compared group by payload_id, competition
)

select
    compared.*,
    bodies.n >= 3 and bodies.n_by_hours >= 0.8 * bodies.n and compared.hours = bodies.usual_hours as is_shifted_body
from compared inner join bodies using (payload_id, competition)
where compared.hours <> 0 and compared.hours = trunc(compared.hours) and abs(compared.hours) <= 12;

-- one row per new score of a match that had one before: the two beside each other
create temporary table score_move on commit drop as
select
    fresh.*,
    subject.competition,
    subject.home_team,
    subject.away_team,
    subject.kickoff_at,
    before.home_goals as home_goals_before,
    before.away_goals as away_goals_before,
    before.home_goals = fresh.away_goals and before.away_goals = fresh.home_goals
    and fresh.home_goals <> fresh.away_goals as is_swapped
from fresh_score as fresh
inner join subject using (fixture_key)
inner join lateral (
    select home_goals, away_goals from landing.score_observation as earlier
    where earlier.fixture_key = fresh.fixture_key and earlier.payload_id < fresh.payload_id and not exists (
        select from quarantined as bad
        where bad.kind = 'score' and bad.fixture_key = earlier.fixture_key and bad.payload_id = earlier.payload_id
    )
    order by earlier.payload_id desc limit 1
) as before on true;

-- one row per competition most of whose matches of the last days have no result: from the first of these on
create temporary table overdue on commit drop as
with recent as (
    select distinct on (fixture_key)
        fixture_key, competition, season, home_team, away_team, kickoff_on, kickoff_at, status,
        exists (
            select from landing.score_observation as score
            where score.fixture_key = observed.fixture_key and score.known_at <= %(as_of)s
        ) as has_score
    from landing.fixture_observation as observed
    where kickoff_on between %(as_of)s::date - 15 and %(as_of)s::date + 30 and known_at <= %(as_of)s
    order by fixture_key, payload_id desc
),

due as (
    select *, min(kickoff_at) filter (where not has_score) over (partition by competition) as first_kickoff_at
    from recent as match
    where kickoff_at between %(as_of)s::timestamptz - interval '14 days' and %(as_of)s::timestamptz - interval '3 days'
        and status in ('scheduled', 'played', 'in_play')
        -- A pairing that was seen on another day has been moved.
        and not exists (
            select from recent as moved
            where moved.competition = match.competition and moved.home_team = match.home_team
                and moved.away_team = match.away_team and moved.fixture_key <> match.fixture_key
        )
)

select
    competition, first_kickoff_at,
    count(*) filter (where not has_score) as n_overdue,
    max(kickoff_at) filter (where not has_score) as last_kickoff_at,
    array_agg(concat_ws(' ', competition, season, home_team, '-', away_team) order by kickoff_at, home_team)
        filter (where not has_score) as row_keys
from due
where kickoff_at >= first_kickoff_at
group by competition, first_kickoff_at
having count(*) filter (where not has_score) >= 3
    and count(*) filter (where not has_score) > count(*) filter (where has_score);

-- one row per breach, written by the rules
create temporary table finding (
    rule text, severity text, kind text, competition text, fixture_key uuid, payload_id bigint, bookmaker text,
    market text, line real, is_closing boolean, row_keys text[], reason text
) on commit drop;

analyze fresh_fixture, fresh_score, fresh_quote, subject, known, appearance, fresh_price, pack;
