-- one row per payload, row or value that could not be used, as its newest record has it: where it stands, which rule
-- refused it, and why. A value is one finding in all versions of its file.
with rejected as (
    select * from {{ ref('stg_rejected_row') }}
),

payloads as (
    select * from {{ ref('stg_payload') }}
)

select
    rejected.rejected_row_id,
    payloads.source,
    payloads.endpoint,
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
    (
        select min(record.observed_at) from {{ ref('stg_rejected_row') }} as record
        where record.finding_key = rejected.finding_key
    ) as first_observed_at,
    rejected.is_settled,
    rejected.run_id
from rejected
inner join payloads on rejected.payload_id = payloads.payload_id
where
    not exists (
        select from {{ ref('stg_rejected_row') }} as later
        where
            later.finding_key = rejected.finding_key
            and later.rejected_row_id > rejected.rejected_row_id
    )
