-- one row per model, forecast, role, competition and season: how its settled predictions scored
-- $1 competition, $2 season, $3 role, $4 forecast
select
    model_name, forecast, role, competition, season, n, rps, log_loss, brier, accuracy, n_with_closing, closing_log_loss,
    log_loss_behind_closing, first_kickoff_at, last_kickoff_at, is_simulated
from analytics.track_record
where ($1::text is null or competition = $1) and ($2::text is null or season = $2)
    and ($3::text is null or role = $3) and ($4::text is null or forecast = $4)
