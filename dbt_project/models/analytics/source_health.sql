-- one row per source: what it gave, when it was last heard of, and how much could not be used
with payloads as (
    select * from {{ source('landing', 'payload') }}
),

seen as (
    select * from {{ source('landing', 'payload_seen') }}
),

parsed as (
    select * from {{ source('landing', 'payload_parsed') }}
),

last_seen as (
    select
        payload_id,
        max(observed_at) as observed_at
    from seen
    group by payload_id
)

select
    payloads.source,
    count(*) as n_payloads,
    max(payloads.observed_at) as last_new_payload_at,
    max(greatest(payloads.observed_at, last_seen.observed_at)) as last_heard_at,
    coalesce(sum(parsed.n_rows), 0)::bigint as n_rows,
    coalesce(sum(parsed.n_rejected), 0)::bigint as n_rejected,
    coalesce(sum(parsed.n_rejected_prices), 0)::bigint as n_rejected_prices,
    count(*) filter (where parsed.payload_id is null) as n_unparsed
from payloads
left join parsed on payloads.payload_id = parsed.payload_id
left join last_seen on payloads.payload_id = last_seen.payload_id
group by payloads.source
