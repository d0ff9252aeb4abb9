-- one row per body received: where it came from, when it was last heard of, and what was read from it
with last_seen as (
    select
        payload_id,
        max(observed_at) as observed_at
    from {{ source('landing', 'payload_seen') }}
    group by payload_id
)

select
    payload.payload_id,
    payload.source,
    payload.endpoint,
    payload.observed_at,
    greatest(payload.observed_at, last_seen.observed_at) as last_heard_at,
    parsed.payload_id is not null as is_parsed,
    parsed.n_rows,
    parsed.n_rejected,
    parsed.n_rejected_prices
from {{ source('landing', 'payload') }} as payload
left join {{ source('landing', 'payload_parsed') }} as parsed on payload.payload_id = parsed.payload_id
left join last_seen on payload.payload_id = last_seen.payload_id
