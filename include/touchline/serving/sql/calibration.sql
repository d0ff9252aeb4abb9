-- one row per model, forecast, role, outcome and tenth of probability: what was said against what happened
-- $1 role, $2 forecast
select model_name, forecast, role, outcome, tenth, n, p_said, p_happened, is_simulated
from analytics.calibration
where ($1::text is null or role = $1) and ($2::text is null or forecast = $2)
