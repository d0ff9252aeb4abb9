-- one row per row of the ledger in order of writing, as a line of its export
with written as (
    select prediction_id, null::integer as revision, ledger.text_of(prediction) as said from ledger.prediction
    union all
    select prediction_id, revision, ledger.text_of(prediction_outcome) from ledger.prediction_outcome
    union all
    select forecast_id, null, ledger.text_of(season_forecast) from ledger.season_forecast
    union all
    select outcome_id, null, ledger.text_of(season_outcome) from ledger.season_outcome
)

select '{"hash":' || coalesce('"' || encode(chain.hash, 'hex') || '"', 'null') || ',"row":' || coalesce(written.said, 'null') || '}'
from ledger.chain
full join written
    on chain.prediction_id = written.prediction_id and coalesce(chain.revision, 0) = coalesce(written.revision, 0)
order by chain.position
