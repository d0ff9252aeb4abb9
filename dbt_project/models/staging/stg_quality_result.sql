-- one row per run of a gate and expectation
select
    quality_result_id,
    run_id,
    gate,
    suite,
    success
from {{ source('ops', 'quality_result') }}
