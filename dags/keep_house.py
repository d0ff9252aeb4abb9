"""### Keep house

**What** deletes what would be kept for ever: logs of tasks on this machine to which nothing was added for
`TOUCHLINE_KEEP_LOG_DAYS` (30), runs, tasks and events in Airflow's metadata that are older than
`TOUCHLINE_KEEP_RUN_DAYS` (90), and uses of keys of the API that are older than `TOUCHLINE_KEEP_USE_DAYS` (400). The
last run of every DAG and the last use of every key stay. Nothing else of Touchline's own data is deleted.
**When** daily at 02:00 UTC. **Reads** the folder of logs, Airflow's metadata, `ops.api_key_use`. **Publishes** nothing.

**When a task fails**, nothing else suffers, and the next night deletes more.
* `forget_logs`: the disk cannot be read. Logs in an object store are not its business (docs/operating-airflow.md).
* `forget_runs`: `airflow db clean` failed; the log has what it said. Where Airflow's metadata is not in this
  installation's PostgreSQL, `AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD` has to say where (docs/operating-airflow.md).
* `forget_uses`: PostgreSQL does not answer, or is not migrated (`touchline database start`).
"""

from __future__ import annotations

from airflow.sdk import dag

from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, cron, step


@dag(schedule=cron("0 2 * * *"), tags=[names.TAG, "operations"], doc_md=__doc__, **DAG_DEFAULTS)
def keep_house() -> None:
    step("forget_logs")
    step("forget_runs")
    step("forget_uses")


keep_house()
