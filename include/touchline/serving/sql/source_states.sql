-- one row per source: its state, and its use so far
select
    state.source, state.circuit, state.n_failures, state.last_success_as_of as last_success_at,
    state.last_failure_as_of as last_failure_at, state.remaining_credits, state.quota_spent_until,
    coalesce(usage.n_calls, 0) as n_calls, coalesce(usage.n_credits, 0) as n_credits,
    coalesce(usage.n_failures, 0) as n_failed_calls
from ops.source_state as state
left join lateral (
    select sum(n_calls)::int as n_calls, sum(n_credits)::int as n_credits, sum(n_failures)::int as n_failures
    from ops.source_usage where source_usage.source = state.source
) as usage on true
order by state.source
