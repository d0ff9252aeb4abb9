-- at most one row: how a prediction was last settled
select revision, home_goals, away_goals, outcome, rps, log_loss, brier, is_correct, settled_at, run_id
from ledger.prediction_outcome
where prediction_id = %(prediction_id)s
order by revision desc
limit 1
