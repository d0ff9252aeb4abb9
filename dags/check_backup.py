"""### Check the backup

**What** restores the backup with the log up to now into a scratch server, and compares every table with the source's,
row for row (docs/backup.md). **When** Sundays at 07:00 UTC. **Reads** everything. **Publishes** nothing; its failure is
the alert. Without `TOUCHLINE_BACKUP_FOLDER` it does nothing.

**When a task fails**
* `check_backup`: the log says whether the backup is damaged, cannot be restored, or which tables differ. Take a full
  one (`touchline backup --full`), check it (`touchline backup --check`), and find out what became of the old one.
"""

from __future__ import annotations

from airflow.sdk import dag

from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, cron, step


@dag(schedule=cron("0 7 * * 0"), tags=[names.TAG, "operations"], doc_md=__doc__, **DAG_DEFAULTS)
def check_backup() -> None:
    step("check_backup")


check_backup()
