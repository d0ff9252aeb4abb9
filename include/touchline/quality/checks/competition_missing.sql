with heard as (
    select
        payload.source, endpoint, substring(endpoint from '([A-Z]+[0-9]*)\.csv$') as competition,
        max(greatest(payload.observed_at, seen.observed_at)) as heard_at
    from landing.payload
    left join landing.payload_seen as seen on seen.payload_id = payload.payload_id and seen.observed_at <= %(as_of)s
    where payload.observed_at <= %(as_of)s and endpoint ~ '/[A-Z]+[0-9]*\.csv$'
    group by payload.source, endpoint
),

newest as (
    select distinct on (source, competition) *, max(heard_at) over (partition by source) as source_heard_at
    from heard
    order by source, competition, endpoint desc
)

select
    competition, null::bigint as payload_id,
    format('%%s was read last on %%s, other files of %%s on %%s', endpoint, heard_at::date, source,
        source_heard_at::date) as reason
from newest
where heard_at < source_heard_at - interval '12 hours' and exists (
    select from landing.fixture_observation as fixture
    where fixture.competition = newest.competition
        and fixture.kickoff_at between %(as_of)s::timestamptz - interval '21 days'
        and %(as_of)s::timestamptz + interval '30 days'
)
