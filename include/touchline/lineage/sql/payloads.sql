-- one row per payload of a list
select payload_id, source, endpoint, observed_at, is_backfill, encode(content_hash, 'hex') as content_hash, n_bytes
from landing.payload
where payload_id = any(%(payload_ids)s)
order by payload_id
