-- one row per model version, forecast and role: what it predicted, and its scores
select
    made.model_name, made.model_version, made.forecast, made.role, made.n_predictions, made.last_predicted_at,
    coalesce(board.n, 0) as n_settled, board.rps, board.log_loss, board.brier, board.accuracy,
    board.log_loss_behind_closing, made.is_simulated
from (
    select model_name, model_version, forecast, role, is_simulated, count(*) as n_predictions,
        max(predicted_at) as last_predicted_at
    from ledger.prediction
    group by model_name, model_version, forecast, role, is_simulated
) as made
left join analytics.model_leaderboard as board using (model_name, model_version, forecast, role, is_simulated)
