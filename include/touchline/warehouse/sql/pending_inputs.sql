-- one row per payload, and per replay of one, that core has not been built with
select kind, input_id, payload_id, observed_at, used_from, known_since
from landing.input
where not exists (
    select from ops.seen_input as seen
    where seen.consumer = 'build_core' and seen.kind = input.kind and seen.input_id = input.input_id
)
order by payload_id
