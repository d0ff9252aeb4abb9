-- one row per source that was asked or has given something: its circuit breaker, its last answer, and how much of what it
-- gave could not be used
select
    source, coalesce(state.circuit, 'closed') as circuit, coalesce(state.n_failures, 0) as n_failures,
    greatest(health.last_heard_at, state.last_success_as_of) as last_heard_at,
    state.last_failure_as_of as last_failure_at, state.remaining_credits, state.quota_spent_until,
    coalesce(health.n_rows, 0) as n_rows, coalesce(health.n_rejected, 0) as n_rejected,
    coalesce(health.n_unparsed, 0) as n_unparsed
from analytics.source_health as health
full join ops.source_state as state using (source)
order by source
