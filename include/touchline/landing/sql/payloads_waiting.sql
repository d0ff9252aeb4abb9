-- one row per payload of a source with rejected rows (of one rule) that are still in quarantine
select distinct payload_id
from landing.rejected_row as rejected
inner join landing.payload using (payload_id)
where payload.source = %(source)s
    and rejected.scope in ('row', 'payload')
    and (%(rule)s::text is null or rejected.rule = %(rule)s)
    and not exists (
        select 1 from landing.rejected_row_settled as settled
        where settled.rejected_row_id = rejected.rejected_row_id
    )
order by payload_id
