"""### Settle predictions

**What** scores every prediction whose result has come in or was corrected: RPS, log loss, Brier, closing-line value.
A corrected result makes a new revision, and so does a closing price that comes later; nothing is overwritten.
Then looks for drift (docs/drift.md).
**When** results are new. **Reads** `ledger.prediction`, `core.match_result`, closing prices. **Publishes**
`predictions/settled`, and `models/drift` for each new alarm; the event says which metric, and by how much.

**When a task fails**
* `settle`: nothing of this run was written; the predictions wait for the next run. The log names match and reason.
  Correct the cause, clear the task, or run `touchline settle`.
* `measure_drift`: scores are in the ledger, drift was not measured; the next run does it. MLflow not reachable:
  `touchline status`, then clear the task, or run `touchline drift`.
* `refresh_analytics`: scores are in the ledger, the views do not show them yet; clear the task.
"""

from __future__ import annotations

from airflow.sdk import dag

from daily_backfills import when_new
from touchline.operations import names
from touchline_assets import RESULTS
from touchline_tasks import DAG_DEFAULTS, step


@dag(schedule=when_new([RESULTS]), tags=[names.TAG, "predictions"], doc_md=__doc__, **DAG_DEFAULTS)
def settle_predictions() -> None:
    settled = step("settle")
    step("measure_drift", settled["as_of"])
    step("refresh_analytics", settled["as_of"])


settle_predictions()
