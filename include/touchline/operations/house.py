"""What would be kept for ever: Airflow's logs, runs, tasks and events, and every use of a key of the API."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from touchline.clock import live_clock
from touchline.database.engine import connect, scalar, sqlalchemy_url
from touchline.operations.airflow_command import run_airflow
from touchline.settings import Settings

FOUND = re.compile(r"^Found (\d+) rows meeting deletion criteria", re.MULTILINE)
ROWS_AT_ONCE = 10_000
ADDRESS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
MARK_OF_A_TASK = "_AIRFLOW_PROCESS_CONTEXT"
CLEAN_SECONDS = 1500


@dataclass(frozen=True)
class ForgottenLogs:
    """What was deleted of the logs of tasks to which nothing was added for `days`."""

    days: int
    n_files: int
    n_bytes: int

    @property
    def summary(self) -> str:
        """One sentence."""
        return f"{self.n_files:,} log(s) of tasks, older than {self.days} days, deleted ({self.n_bytes:,} bytes)."


@dataclass(frozen=True)
class ForgottenRuns:
    """What was deleted of Airflow's metadata older than `days`: rows of all tables."""

    days: int
    n_rows: int

    @property
    def summary(self) -> str:
        """One sentence."""
        return f"{self.n_rows:,} rows of Airflow's metadata, older than {self.days} days, deleted."


@dataclass(frozen=True)
class ForgottenUses:
    """What was deleted of the audit log of uses older than `days`: rows."""

    days: int
    n_rows: int

    @property
    def summary(self) -> str:
        """One sentence."""
        return f"{self.n_rows:,} use(s) of keys, older than {self.days} days, deleted."


def forget_logs(home: Path, days: int) -> ForgottenLogs:
    """Delete what Airflow logged on this machine, once nothing was added to it for so many days.

    By the wall clock, in the simulated world too: the disk fills in real days. A folder that is empty goes as many
    days after its last log, lest it vanishes while a task is about to write into it.
    """
    before = (live_clock().as_of - timedelta(days=days)).timestamp()
    deleted: list[int] = []
    # What is in a folder comes before the folder.
    for path in sorted((home / "airflow" / "logs").rglob("*"), reverse=True):
        # Another process may delete, and a folder may hold newer logs.
        with suppress(OSError):
            found = path.lstat()
            if found.st_mtime >= before:
                continue
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
                deleted.append(found.st_size)
    return ForgottenLogs(days, len(deleted), sum(deleted))


def forget_runs(settings: Settings, days: int) -> ForgottenRuns:
    """Delete runs, tasks, events and log entries of Airflow's metadata older than so many days (by the wall clock).

    The last run of every DAG stays. It is Airflow's own `airflow db clean`, in a process of its own: a task may not
    touch the metadata, so that Airflow hides the database from it. Raises ServiceFailed with what Airflow said.
    """
    before = live_clock().as_of - timedelta(days=days)
    said = run_airflow(
        _environment(settings), "db", "clean", "--clean-before-timestamp", before.isoformat(),
        "--skip-archive", "--yes", "--error-on-cleanup-failure", "--batch-size", str(ROWS_AT_ONCE),
        advice=f"; if it could not reach or enter the database, give this machine {ADDRESS}_CMD",
        seconds=CLEAN_SECONDS,
    )  # fmt: skip
    return ForgottenRuns(days, sum(int(n) for n in FOUND.findall(said)))


def forget_uses(settings: Settings, days: int) -> ForgottenUses:
    """Delete uses of keys of the API older than so many days (by the wall clock, 30 at least); each key's last stays.

    Raises DatabaseUnavailable.
    """
    with connect(settings, "ingest") as connection:
        n_rows = scalar(connection, "select ops.forget_key_uses(%s)", (days,))
    return ForgottenUses(days, n_rows)


def _environment(settings: Settings) -> dict[str, str]:
    """That of this process with the metadata's address, for which Airflow gives a task one that does not work."""
    own = {name: value for name, value in os.environ.items() if name not in (ADDRESS, MARK_OF_A_TASK)}
    if any(f"{ADDRESS}{how}" in own for how in ("_CMD", "_SECRET")):
        return own
    url = settings.url_for("airflow", settings.secrets["airflow"], "airflow")
    return {**own, ADDRESS: sqlalchemy_url(url)}
