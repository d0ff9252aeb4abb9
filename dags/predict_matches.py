"""### Predict matches

**What** predicts every fixture of the next days (`TOUCHLINE_HORIZON_DAYS`) with champion, challenger and baselines,
checks the output and appends it to the ledger. The same model on the same features writes nothing twice.
**When** features or the champion are new. **Reads** the online store (or the offline tables), MLflow. **Publishes**
`predictions/upcoming`.

**When a task fails**
* `predict`: nothing of this run was written. The log names the gate's expectation (see `ops.quality_result`), the
  missing model, or the database's refusal (a match that has begun is never predicted). Correct the cause, clear it.
* `forecast_season`: predictions are in the ledger, how seasons may end was not forecast; the next run does it. Clear
  the task, or run `touchline season` (docs/season-ahead.md).
* `refresh_analytics`: predictions are in the ledger, the views do not show them yet; clear the task.
* `all_predicted`: the run is *degraded*. What could be predicted is in the ledger and announced; a fixture ahead has no
  prediction, or a competition is held. The log says which and what to do (`touchline why`, `touchline quality holds`).
  It is not tried again and keeps no other run from starting; the next run judges anew.
"""

from __future__ import annotations

from airflow.sdk import dag

from daily_backfills import when_new
from touchline.operations import names
from touchline_assets import CHAMPION, FEATURES
from touchline_tasks import DAG_DEFAULTS, step


@dag(schedule=when_new(FEATURES | CHAMPION), tags=[names.TAG, "predictions"], doc_md=__doc__, **DAG_DEFAULTS)
def predict_matches() -> None:
    predicted = step("predict")
    as_of = predicted["as_of"]
    step("forecast_season", as_of)
    step("refresh_analytics", as_of) >> step("all_predicted", as_of)


predict_matches()
