-- one row per payload, row or value that could not be used when it was read
select
    rejected.rejected_row_id,
    rejected.finding_key,
    rejected.payload_id,
    rejected.row_number,
    rejected.scope,
    rejected.rule,
    rejected.field,
    rejected.value,
    rejected.reason,
    rejected.competition,
    rejected.kickoff_at,
    rejected.home_team,
    rejected.away_team,
    rejected.observed_at,
    settled.rejected_row_id is not null as is_settled,
    rejected.run_id
from {{ source('landing', 'rejected_row') }} as rejected
left join {{ source('landing', 'rejected_row_settled') }} as settled
    on rejected.rejected_row_id = settled.rejected_row_id
