select
    substring(fresh.endpoint from '([A-Z]+[0-9]*)\.csv$') as competition, fresh.payload_id,
    format('%%s holds %%s rows, and %%s in payload %%s before', fresh.endpoint, parsed.n_rows, before.n_rows,
        before.payload_id) as reason
from landing.payload as fresh
inner join landing.payload_parsed as parsed using (payload_id)
inner join lateral (
    select earlier.payload_id, n_rows from landing.payload as earlier
    inner join landing.payload_parsed using (payload_id)
    where earlier.source = fresh.source and earlier.endpoint = fresh.endpoint and earlier.payload_id < fresh.payload_id
    order by earlier.payload_id desc limit 1
) as before on true
where fresh.payload_id in (select payload_id from fresh_payload where is_whole)
    and fresh.endpoint ~ '/[A-Z]+[0-9]*\.csv$' and parsed.n_rows < 0.9 * before.n_rows
