-- one row: the payloads up to an id, and a digest of all that was received
select
    count(*) as n,
    coalesce(max(payload_id), 0) as last_id,
    md5(coalesce(string_agg(encode(content_hash, 'hex') || n_bytes || observed_at, '' order by payload_id), ''))
        as digest
from landing.payload
where payload_id <= %(payload_id)s
