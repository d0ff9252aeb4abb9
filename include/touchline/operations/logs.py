"""Logs of tasks: Airflow writes a file for every try and never deletes one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from touchline.clock import live_clock

KEPT = timedelta(days=30)


@dataclass(frozen=True)
class ForgottenLogs:
    """What was deleted."""

    n_files: int
    n_bytes: int

    @property
    def summary(self) -> str:
        """One sentence."""
        return f"{self.n_files:,} log(s) of tasks, older than {KEPT.days} days, deleted ({self.n_bytes:,} bytes)."


def forget_logs(home: Path) -> ForgottenLogs:
    """Delete what Airflow logged on this machine, once nothing was added to it for 30 days.

    By the wall clock, in the simulated world too: the disk fills in real days. A folder that is empty goes 30 days
    after its last log, lest it vanishes while a task is about to write into it.
    """
    before = (live_clock().as_of - KEPT).timestamp()
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
    return ForgottenLogs(len(deleted), sum(deleted))
