-- one row per source and rule: rows and values that could not be used and still wait; a value is one finding in all versions
-- of its file. $1 present
select payload.source, rejected.rule as reason, count(*) as n_rejected
from landing.rejected_row as rejected
inner join landing.payload as payload using (payload_id)
where rejected.observed_at <= $1
    and not exists (
        select from landing.rejected_row_settled as settled
        where settled.rejected_row_id = rejected.rejected_row_id
    )
    and not exists (
        select from landing.rejected_row as later
        where later.finding_key = rejected.finding_key and later.rejected_row_id > rejected.rejected_row_id
            and later.observed_at <= $1
    )
group by payload.source, rejected.rule
order by n_rejected desc, source, reason
