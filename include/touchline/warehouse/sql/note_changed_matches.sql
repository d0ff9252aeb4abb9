-- a new row per match that payloads said something new of: from when on that was known.
-- The partitions of landing.odds_observation are chosen by the times of the payloads. Ratings read a result with the
-- prices that were known when it was: a price that counts as known before a result that was built makes it news.
with pending as (
    select payload_id, min(coalesce(known_since, '-infinity')) as known_since
    from unnest(%(payload_ids)s::bigint[], %(known_since)s::timestamptz[]) as given (payload_id, known_since)
    group by payload_id
),

facts as (
    select fixture_key, payload_id, known_at from landing.fixture_observation
    where payload_id = any(%(payload_ids)s)
    union all
    select fixture_key, payload_id, known_at from landing.score_observation
    where payload_id = any(%(payload_ids)s)
),

quotes as (
    select odds.fixture_key,
        min(odds.known_at) filter (where odds.market = '1x2' and odds.known_at >= pending.known_since) as price_known_at
    from landing.odds_observation as odds inner join pending using (payload_id)
    where odds.payload_id = any(%(payload_ids)s) and odds.observed_at between %(first)s and %(last)s
        and odds.known_at <= %(as_of)s
    group by odds.fixture_key
)

insert into ops.match_change (change_id, match_id, known_from)
select %(change_id)s, fixture_key, min(known_from)
from (
    select facts.fixture_key, facts.known_at as known_from from facts inner join pending using (payload_id)
    where facts.known_at >= pending.known_since and facts.known_at <= %(as_of)s
    union all
    select quotes.fixture_key, result.valid_from from quotes
    left join core.result_version as result
        on quotes.fixture_key = result.match_id and quotes.price_known_at <= result.valid_from
) as touched
group by fixture_key
