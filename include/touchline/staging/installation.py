"""The installation that a validation uses up: a home, a database and ports of its own, and the command line."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil

from touchline.errors import ServiceFailed, ValidationImpossible
from touchline.operations import names, services, status
from touchline.operations.airflow_api import AirflowApi, DagRun
from touchline.sandbox.clock import call
from touchline.settings import PROJECT_ROOT, SANDBOX, Settings, inherited_environment
from touchline.supervision.programs import free_port

PORTS: Final = ("postgres", "airflow", "mlflow", "api", "sandbox")
COMMAND_SECONDS: Final = 1800.0
REST_SECONDS: Final = 1200.0
# Of the clock that does not move meanwhile.
TUNING_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.5
LAST_LINES: Final = 15


@dataclass(frozen=True)
class Installation:
    """Settings, and the folder of the project whose code its services run."""

    settings: Settings
    code: Path = PROJECT_ROOT

    def touchline(
        self, *arguments: str, seconds: float = COMMAND_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        variables = {
            **inherited_environment(), **self.settings.environment(), **self.settings.notify.environment(),
            **self.settings.backup.environment(), "PYTHONPATH": str(self.code / "include"),
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "touchline.cli", *arguments],
            env=variables, cwd=self.settings.home, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def must(self, *arguments: str) -> str:
        """Run a command that has to succeed, or to end as degraded; returns what it printed.

        Raises ServiceFailed with the end of what it said.
        """
        done = self.touchline(*arguments)
        if done.returncode not in (0, 4):
            told = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
            raise ServiceFailed(f"`touchline {' '.join(arguments)}` ended with {done.returncode}:\n{told}")
        return done.stdout

    @property
    def api_address(self) -> str:
        """Where the read API answers."""
        return f"http://127.0.0.1:{self.settings.running_port(status.API, self.settings.api_port)}"

    def move_clock(self, moment: datetime) -> None:
        """Have it be `moment` (UTC) in the simulated world. Raises SourceUnavailable."""
        call("POST", self.settings.sandbox_address, "clock", {"now": moment.isoformat()})

    @property
    def is_well(self) -> bool:
        """Whether every service that was started runs and answers."""
        found = [each.state for each in status.status(self.settings).services if each.state != "stopped"]
        return len(found) >= len(status.SERVICES) and all(state == "running" for state in found)

    def pid_of(self, service: str) -> int | None:
        """The process that leads a service; None when there is none now."""
        return next(
            (each.pid for each in status.status(self.settings).services if each.service == service), None
        )

    def tasks(self) -> list[psutil.Process]:
        """Processes that run tasks now, on this machine."""
        with suppress(psutil.Error):
            scheduler = psutil.Process(self.pid_of(status.SCHEDULER) or -1)
            return [each for each in scheduler.children(recursive=True) if _is_task(each)]
        return []


@contextmanager
def scratch_installation(settings: Settings, code: Path = PROJECT_ROOT) -> Iterator[Installation]:
    """An installation of the simulated world with backups, in a folder that is gone afterwards.

    Raises ValidationImpossible when the settings name services that are not this machine's own.
    """
    given = (settings.database_url, settings.mlflow_tracking_uri, settings.sandbox_url)
    if any(each is not None for each in given):
        raise ValidationImpossible(
            "on a simulated clock the validation uses up an installation of its own on this machine: leave out "
            "TOUCHLINE_DATABASE_URL, TOUCHLINE_MLFLOW_TRACKING_URI and TOUCHLINE_SANDBOX_URL, or watch the "
            "installation that they name with --real-time"
        )
    with tempfile.TemporaryDirectory(prefix="touchline-staging-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # PostgreSQL may run as another user.
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir(mode=0o755)
        own = settings.model_copy(
            update={
                "home": home, "source": SANDBOX, "as_of": None, "database_name": None, "data_docs": False,
                "tuning_budget_seconds": min(settings.tuning_budget_seconds, TUNING_SECONDS),
                "backup": settings.backup.model_copy(update={"folder": folder / "backups"}),
                **{f"{port}_port": free_port() for port in PORTS},
            }
        )  # fmt: skip
        try:
            yield Installation(own, code)
        finally:
            services.stop_all(own)


def await_rest(api: AirflowApi, seconds: float = REST_SECONDS) -> list[DagRun]:
    """Wait until no DAG runs and no asset event waits for one; returns the runs that had not ended in time."""
    until = time.monotonic() + seconds
    while True:
        active = _unfinished(api)
        # An event becomes a run between two looks, so runs are looked for on both sides of the events.
        if not active and not api.n_queued_events() and not (active := _unfinished(api)):
            return []
        if time.monotonic() > until:
            return active
        time.sleep(LOOK_SECONDS)


def _unfinished(api: AirflowApi) -> list[DagRun]:
    # One that waits for a person is not waited for.
    return [run for run in api.active_runs() if run.dag_id != names.APPROVE_PROMOTION]


def _is_task(process: psutil.Process) -> bool:
    """Airflow renames its workers after what they do."""
    command = process.cmdline()
    return bool(command) and command[0].startswith("airflow worker") and not command[0].endswith("<idle>")
