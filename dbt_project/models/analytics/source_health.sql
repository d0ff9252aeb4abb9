-- one row per source: what it gave, when it was last heard of, and how much could not be used
select
    source,
    count(*) as n_payloads,
    max(observed_at) as last_new_payload_at,
    max(last_heard_at) as last_heard_at,
    coalesce(sum(n_rows), 0)::bigint as n_rows,
    coalesce(sum(n_rejected), 0)::bigint as n_rejected,
    coalesce(sum(n_rejected_prices), 0)::bigint as n_rejected_prices,
    count(*) filter (where not is_parsed) as n_unparsed
from {{ ref('stg_payload') }}
group by source
