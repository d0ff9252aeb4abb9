-- one row per fact left out (of one rule, of one competition), newest first
select bad.quarantined_fact_id, bad.kind, bad.rule, bad.reason, bad.bookmaker, bad.market, bad.line, bad.payload_id,
    bad.observed_at, fixture.competition, payload.source, payload.endpoint
from landing.set_aside as bad
inner join landing.payload using (payload_id)
inner join lateral (
    select competition from landing.fixture_observation where fixture_key = bad.fixture_key limit 1
) as fixture on true
where (%(rule)s::text is null or rule = %(rule)s) and (%(competition)s::text is null or competition = %(competition)s)
order by quarantined_fact_id desc
limit %(limit)s
