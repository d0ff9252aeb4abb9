-- one row per source: its circuit breaker, what is left of its quota, and its calls so far
select
    state.source, (state.circuit = 'open')::int as is_open, state.remaining_credits,
    state.last_success_as_of as last_success, coalesce(sum(used.n_calls), 0) as n_calls,
    coalesce(sum(used.n_failures), 0) as n_failed_calls
from ops.source_state as state
left join ops.source_usage as used using (source)
group by state.source
order by state.source
