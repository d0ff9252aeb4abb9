-- one row per model, version and forecast: scores over all settled predictions, and its place against the close
with settled as (
    select * from {{ ref('settled_predictions') }}
)

select
    model_name,
    model_version,
    forecast,
    role,
    is_simulated,
    count(*) as n,
    avg(rps) as rps,
    avg(log_loss) as log_loss,
    avg(brier) as brier,
    avg(is_correct::int)::double precision as accuracy,
    avg(log_loss - closing_log_loss) as log_loss_behind_closing,
    count(closing_log_loss) as n_with_closing,
    -- Versions settle different matches, and the market is silent on some: only distances to one measure compare.
    case
        when count(closing_log_loss) > 0
            then rank() over (partition by is_simulated order by avg(log_loss - closing_log_loss))
    end as place
from settled
group by model_name, model_version, forecast, role, is_simulated
