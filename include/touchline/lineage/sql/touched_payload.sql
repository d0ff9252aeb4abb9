-- at most one row: a payload and what reading it came to
select
    payload.payload_id, payload.source, payload.endpoint, payload.observed_at, payload.is_backfill,
    encode(payload.content_hash, 'hex') as content_hash, payload.n_bytes, payload.run_id,
    parsed.n_rows, parsed.n_parsed, parsed.n_rejected, parsed.n_rejected_prices, parsed.parsed_at,
    (select count(*) from landing.payload_seen as seen where seen.payload_id = payload.payload_id) as n_seen_again,
    (select is_simulated from ops.world) as is_simulated
from landing.payload as payload
left join landing.payload_parsed as parsed using (payload_id)
where payload.payload_id = %(payload_id)s
