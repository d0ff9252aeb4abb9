-- one row per model, forecast, role, competition and season: how its settled predictions scored
with settled as (
    select * from {{ ref('settled_predictions') }}
)

select
    model_name,
    forecast,
    role,
    competition,
    season,
    is_simulated,
    count(*) as n,
    avg(rps) as rps,
    avg(log_loss) as log_loss,
    avg(brier) as brier,
    avg(is_correct::int)::double precision as accuracy,
    count(closing_log_loss) as n_with_closing,
    avg(closing_log_loss) as closing_log_loss,
    avg(log_loss - closing_log_loss) as log_loss_behind_closing,
    min(kickoff_at) as first_kickoff_at,
    max(kickoff_at) as last_kickoff_at
from settled
group by model_name, forecast, role, competition, season, is_simulated
