-- one row per rejected row of a payload that is still in quarantine
select rejected.rejected_row_id, rejected.row_number, rejected.scope, rejected.rule, rejected.value
from landing.rejected_row as rejected
where rejected.payload_id = %(payload_id)s
    and rejected.scope in ('row', 'payload')
    and not exists (
        select 1 from landing.rejected_row_settled as settled
        where settled.rejected_row_id = rejected.rejected_row_id
    )
