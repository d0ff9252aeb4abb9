"""Which of Touchline's services run, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from touchline.database import embedded
from touchline.operations import processes
from touchline.operations.processes import HOST
from touchline.settings import Settings

SANDBOX, MLFLOW, API = "sandbox", "mlflow", "api"
AIRFLOW_API, SCHEDULER, DAG_PROCESSOR = "airflow-api", "airflow-scheduler", "airflow-dag-processor"
WATCHDOG = "watchdog"
SERVICES = (WATCHDOG, SANDBOX, MLFLOW, AIRFLOW_API, SCHEDULER, DAG_PROCESSOR, API)


@dataclass(frozen=True)
class ServiceState:
    """One service as found; `address` is empty where nothing listens."""

    service: str
    state: str
    pid: int | None
    address: str
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


def status(settings: Settings) -> StatusReport:
    """What runs, and where; asks nothing but the operating system and, for PostgreSQL, the server."""
    return StatusReport(tuple(_states(settings)))


def dead_services(settings: Settings) -> list[str]:
    """Services that were started and are gone."""
    found = {name: processes.find(settings.home, name) for name in SERVICES}
    dead = [name for name, running in found.items() if running is not None and not running.is_alive]
    if settings.database_url is None and not embedded.is_running(settings):
        dead.append("postgres")
    return dead


def log_of(settings: Settings, name: str) -> Path:
    """The log file of a service."""
    if name == "postgres":
        return settings.home / "postgres" / "server.log"
    return settings.home / "logs" / f"{name}.log"


def _states(settings: Settings) -> Iterator[ServiceState]:
    if settings.database_url is None:
        up = embedded.is_running(settings)
        address = settings.admin_url.rpartition("@")[2].rpartition("/")[0] if up else ""
        state = "running" if up else "stopped"
        yield ServiceState("postgres", state, None, address, str(log_of(settings, "postgres")))
    for name in SERVICES:
        running = processes.find(settings.home, name)
        alive = running is not None and running.is_alive
        yield ServiceState(
            service=name,
            state="running" if alive else "stopped" if running is None else "died",
            pid=running.pid if running is not None and alive else None,
            address=f"http://{HOST}:{running.port}" if running is not None and alive and running.port else "",
            log=str(log_of(settings, name)),
        )
