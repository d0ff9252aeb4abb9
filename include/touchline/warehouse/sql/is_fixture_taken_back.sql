-- one row: whether a fixture was set aside after core had been built with it
select exists (
    select from landing.set_aside as fact
    where fact.kind = 'fixture'
        and exists (
            select from ops.seen_input as seen
            where seen.consumer = 'build_core' and seen.kind = 'payload' and seen.input_id = fact.payload_id
        )
        and not exists (
            select from ops.seen_input as seen
            where seen.consumer = 'build_core' and seen.kind = 'quarantine'
                and seen.input_id = fact.quarantined_fact_id
        )
)
