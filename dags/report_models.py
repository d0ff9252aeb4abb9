"""### Report on the models

**What** writes a quality report: skill against both markets by competition and month, calibration, drift and what
followed it, champions, worst misses. It changes nothing else. A later report of the same day takes its place.
**When** Sundays at 06:00 UTC, and by hand. **Reads** `analytics.settled_predictions`, `ledger.*`, `ops.drift_metric`,
MLflow. **Publishes** nothing: the report is on the board's page of the models, in MLflow (experiment `... reports`),
and in `reports/models` of the home of the machine that ran the task.

**When `report_models` fails**: nothing else suffers. MLflow not reachable: `touchline status`, then clear the task, or
run `touchline step report_models`. Without a settled prediction it does not fail; the report says so.
"""

from __future__ import annotations

from airflow.sdk import dag

from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, cron, step


@dag(schedule=cron("0 6 * * 0"), tags=[names.TAG, "models"], doc_md=__doc__, **DAG_DEFAULTS)
def report_models() -> None:
    step("report_models")


report_models()
