select
    null as competition, null::bigint as payload_id,
    format('%%s was heard of last on %%s', source, to_char(heard_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')) as reason
from (
    select source, max(greatest(payload.observed_at, seen.observed_at)) as heard_at
    from landing.payload
    left join landing.payload_seen as seen on seen.payload_id = payload.payload_id and seen.observed_at <= %(as_of)s
    where payload.observed_at between %(as_of)s::timestamptz - interval '60 days' and %(as_of)s
    group by source
) as sources
-- A source that is not in use any more is not awaited for ever.
where heard_at between %(as_of)s::timestamptz - interval '30 days' and %(as_of)s::timestamptz - interval '3 days'
