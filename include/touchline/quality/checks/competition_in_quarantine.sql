with fresh as (
    select competition, fixture_key from fresh_fixture
    union
    select subject.competition, fixture_key from fresh_score inner join subject using (fixture_key)
),

counted as (
    select
        competition, count(*) as n,
        count(*) filter (where exists (
            select from landing.quarantined_fact as bad
            where bad.fixture_key = fresh.fixture_key and bad.kind <> 'quote' and bad.payload_id > %(since)s
        )) as n_bad
    from fresh group by competition
)

select
    competition, (select max(payload_id) from fresh_fixture where fresh_fixture.competition = counted.competition)
        as payload_id,
    format('%%s of the %%s matches of %%s that something new was said about since payload %%s are in quarantine', n_bad, n,
        competition, %(since)s) as reason
from counted
where n_bad >= 5 and n_bad > n / 3.0
