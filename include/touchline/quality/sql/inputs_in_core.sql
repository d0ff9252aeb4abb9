-- one row per payload whose facts stand in core, and per replay of one: what lands while a gate runs is not among them
with standing as (
    select payload_id from core.match
    union
    select payload_id from core.match_result
)

select input.kind, input.input_id
from landing.input inner join standing using (payload_id)
where input.kind = 'payload' or input.used_from <= %(as_of)s
