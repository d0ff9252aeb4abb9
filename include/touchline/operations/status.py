"""Which of Touchline's services run, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from touchline.settings import Settings
from touchline.supervision.programs import HOST
from touchline.supervision.supervisor import log_of, states

SANDBOX, MLFLOW, API, POSTGRES = "sandbox", "mlflow", "api", "postgres"
AIRFLOW_API, SCHEDULER, DAG_PROCESSOR = "airflow-api", "airflow-scheduler", "airflow-dag-processor"
TRIGGERER = "airflow-triggerer"
WATCHDOG = "watchdog"
SERVICES = (POSTGRES, WATCHDOG, SANDBOX, MLFLOW, AIRFLOW_API, SCHEDULER, DAG_PROCESSOR, TRIGGERER, API)
# What ships the log to the folder of backups, where there is one.
WAL_RECEIVER = "wal-receiver"
# What watches them, where it was started (operations/monitoring_services.py).
EXPORTER, PROMETHEUS, ALERTMANAGER, NODE_EXPORTER = "exporter", "prometheus", "alertmanager", "node-exporter"
MONITORING = (EXPORTER, PROMETHEUS, ALERTMANAGER, NODE_EXPORTER)
OPTIONAL = (WAL_RECEIVER, *MONITORING)


@dataclass(frozen=True)
class ServiceState:
    """One service as found; `address` is empty where nothing listens, `note` says what is to be known of its state."""

    service: str
    state: str
    pid: int | None
    address: str
    uptime_seconds: float | None
    n_restarts: int
    note: str
    log: str


@dataclass(frozen=True)
class StatusReport:
    """Every service as found."""

    services: tuple[ServiceState, ...]

    @property
    def summary(self) -> str:
        """One sentence."""
        running = sum(service.state == "running" for service in self.services)
        return f"{running} of {len(self.services)} services run."

    @property
    def given_up(self) -> list[str]:
        """Services that nobody starts again."""
        return [service.service for service in self.services if service.state in ("given up", "died")]


def status(settings: Settings) -> StatusReport:
    """What runs, and where; asks the supervisor and the operating system, and each service that has just started."""
    return StatusReport(tuple(_states(settings)))


def _states(settings: Settings) -> Iterator[ServiceState]:
    found = {state.program.name: state for state in states(settings.home)}
    for name in (*SERVICES, *OPTIONAL):
        if name == POSTGRES and settings.database_url is not None:
            continue
        if name in OPTIONAL and name not in found:
            continue
        log = str(log_of(settings.home, name))
        state = found.get(name)
        if state is None:
            yield ServiceState(name, "stopped", None, "", None, 0, "", log)
            continue
        port = state.program.port if state.pid is not None else 0
        scheme = "" if name == POSTGRES else "http://"
        notes = (
            f"waits for {state.waits_for}" if state.waits_for else "",
            f"last end: {state.last_end}" if state.last_end else "",
        )
        yield ServiceState(
            service=name,
            state=state.state,
            pid=state.pid,
            address=f"{scheme}{HOST}:{port}" if port else "",
            uptime_seconds=state.seconds,
            n_restarts=state.n_restarts,
            note="; ".join(note for note in notes if note),
            log=log,
        )
