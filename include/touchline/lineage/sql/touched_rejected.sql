-- one row per value of a payload that could not be used, and since when it can
select
    rejected.row_number, rejected.scope, rejected.rule, rejected.field, rejected.value, rejected.reason,
    settled.recorded_at as settled_at
from landing.rejected_row as rejected
left join landing.rejected_row_settled as settled using (rejected_row_id)
where rejected.payload_id = %(payload_id)s
order by rejected.row_number, rejected.rejected_row_id
