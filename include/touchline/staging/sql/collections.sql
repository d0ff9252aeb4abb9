-- one row: what was received since an instant of the wall clock, and what became of its rows
with received as (
    select
        payload.payload_id,
        parsed.n_rows,
        parsed.n_parsed,
        parsed.n_rejected,
        (
            select count(distinct rejected.row_number) from landing.rejected_row as rejected
            where rejected.payload_id = payload.payload_id and rejected.scope in ('row', 'payload')
        ) as n_kept_with_reason
    from landing.payload as payload
    left join landing.payload_parsed as parsed on payload.payload_id = parsed.payload_id
    where payload.recorded_at >= %(since)s
)

select
    count(*) as n_payloads,
    coalesce(sum(n_rows), 0)::bigint as n_rows,
    coalesce(sum(n_parsed), 0)::bigint as n_parsed,
    coalesce(sum(n_rejected), 0)::bigint as n_rejected,
    count(*) filter (where n_rows is null) as n_not_read,
    count(*) filter (where n_rejected > n_kept_with_reason) as n_with_lost_rows
from received
