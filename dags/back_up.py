"""### Back up

**What** takes a backup into the folder of backups: PostgreSQL, models, passwords, encrypted (docs/backup.md). The
service `wal-receiver` ships what happens between two of them. **When** daily at 01:00 UTC. **Reads** everything.
**Publishes** nothing. Without `TOUCHLINE_BACKUP_FOLDER` it does nothing.

**When a task fails**
* `back_up`: the log has what `pg_basebackup` said. Where the folder is full or away, make room or bring it back; the
  next try takes the backup. `touchline backup` takes one by hand.
"""

from __future__ import annotations

from airflow.sdk import dag

from touchline.operations import names
from touchline_tasks import DAG_DEFAULTS, cron, step


@dag(schedule=cron("0 1 * * *"), tags=[names.TAG, "operations"], doc_md=__doc__, **DAG_DEFAULTS)
def back_up() -> None:
    step("back_up")


back_up()
