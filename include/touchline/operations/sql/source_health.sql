-- one row per source: its state, its use today, and what of it was rejected
select
    source.source, state.circuit, state.n_failures, state.last_success_as_of, state.last_error,
    state.remaining_credits, state.remaining_calls, state.quota_spent_until, heard.last_heard_at,
    coalesce(today.n_calls, 0) as n_calls_today, coalesce(today.n_credits, 0) as n_credits_today,
    coalesce(today.n_failures, 0) as n_failures_today,
    coalesce(rejected.n_rows, 0) as n_rejected_today, coalesce(rejected.n_waiting, 0) as n_waiting
from unnest(%(sources)s::text[]) as source
left join ops.source_state as state on state.source = source.source
left join ops.source_usage as today on today.source = source.source and today.used_on = %(day)s
left join lateral (
    select max(greatest(payload.observed_at, seen.observed_at)) as last_heard_at
    from landing.payload
    left join landing.payload_seen as seen using (payload_id)
    where payload.source = source.source and payload.observed_at <= %(as_of)s
) as heard on true
left join lateral (
    select
        count(*) filter (where row.observed_at >= %(midnight)s and not exists (
            select from landing.rejected_row as earlier
            where earlier.finding_key = row.finding_key and earlier.rejected_row_id < row.rejected_row_id
        )) as n_rows,
        count(distinct finding_key) filter (where row.scope = 'row' and row.rule = any(%(waiting)s) and not exists (
            select 1 from landing.rejected_row_settled as settled
            where settled.rejected_row_id = row.rejected_row_id
        )) as n_waiting
    from landing.rejected_row as row
    inner join landing.payload using (payload_id)
    where payload.source = source.source and row.observed_at <= %(as_of)s
) as rejected on true
