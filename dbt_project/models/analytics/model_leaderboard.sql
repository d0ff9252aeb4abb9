-- one row per model, version and forecast: scores over all settled predictions, best log loss first
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
    rank() over (partition by is_simulated order by avg(log_loss)) as place
from settled
group by model_name, model_version, forecast, role, is_simulated
