"""An installation on several machines, played on one: each has a home and a working folder, and shares only the code.

The control machine runs what `touchline up` runs, with the CeleryExecutor of Airflow. Workers and broker are machines
of their own: a supervisor for each, as systemd or Kubernetes would be.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from installation import RUN_SECONDS, Installation
from moments import task_process
from touchline.operations import names, services, status
from touchline.operations.airflow_settings import CREDENTIALS_OF_AIRFLOW, ROLES_OF_TASKS
from touchline.settings import PROJECT_ROOT, Settings, inherited_environment
from touchline.supervision.programs import HOST, Program, digest_of, free_port
from touchline.supervision.supervisor import await_health, run_programs, stop_programs

REDIS = "redis"
WORKERS = ("worker-a", "worker-b")
SLOTS = "2"
POWER_CUT_SECONDS = 30.0


@dataclass(frozen=True)
class Machine:
    """One that runs a single program; `installation` is how its processes are found."""

    installation: Installation
    program: Program

    @property
    def home(self) -> Path:
        """Its disk."""
        return self.installation.settings.home

    def start(self) -> None:
        """Switch it on."""
        run_programs(self.home, [self.program])
        await_health(self.home, self.program)
        self.installation.remember_sessions()

    def stop(self) -> None:
        """Shut it down in order."""
        stop_programs(self.home)

    def cut_power(self) -> None:
        """Kill everything on it at once; nobody there is left to start anything again."""
        self.installation.remember_sessions()
        deadline = time.monotonic() + POWER_CUT_SECONDS
        while found := list(self.installation.processes()):
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for process in found:
                    with suppress(psutil.NoSuchProcess):
                        process.send_signal(number)
            assert time.monotonic() < deadline, found

    def task_logs(self) -> str:
        """What its tasks have logged."""
        logs = (self.home / "airflow" / "logs").rglob("*.log")
        return "\n".join(path.read_text(errors="replace") for path in sorted(logs))


@dataclass(frozen=True)
class Cluster:
    """The control machine, and the others by name."""

    control: Installation
    machines: Mapping[str, Machine]

    @property
    def settings(self) -> Settings:
        """Those of the control machine."""
        return self.control.settings

    def touchline(self, *arguments: str, seconds: float = RUN_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command on the control machine."""
        return self.control.touchline(*arguments, seconds=seconds)

    def start_all(self) -> None:
        """Switch on whatever is off."""
        for machine in self.machines.values():
            machine.start()

    def remember_sessions(self) -> None:
        """Note on each machine what runs there now."""
        for installation in self._installations:
            installation.remember_sessions()

    def machine_of(self, task_id: str) -> Machine:
        """The worker on which a task runs."""
        process = psutil.Process(task_process(self.settings, task_id))
        session = os.getsid(process.pid)
        for name in WORKERS:
            installation = self.machines[name].installation
            installation.remember_sessions()
            if session in installation.sessions:
                return self.machines[name]
        raise AssertionError(f"{task_id} runs on no worker: {process.cmdline()}")

    def processes(self) -> Iterator[psutil.Process]:
        """Everything that runs anywhere."""
        for installation in self._installations:
            yield from installation.processes()

    def stop(self) -> None:
        """Shut everything down."""
        for machine in self.machines.values():
            machine.stop()
        services.stop_all(self.settings)

    @property
    def _installations(self) -> list[Installation]:
        return [self.control, *(machine.installation for machine in self.machines.values())]


def redis_server() -> str:
    """The program, or a skip that says why."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("there is no redis-server on this machine: apt-get install redis-server")
    return found


@contextmanager
def clustered(settings: Settings, folder: Path) -> Iterator[Cluster]:
    """A cluster whose control machine has these settings; the homes of the others are made in `folder`.

    The broker and everything that `touchline up` starts run; the workers are still off. All is stopped in
    the end.
    """
    redis, port = redis_server(), free_port()
    of_airflow = {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__SCHEDULER__MP_START_METHOD": "fork",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://{HOST}:{port}/0",
    }
    control = Installation(settings, variables=of_airflow)
    machines = {REDIS: _machine(folder, REDIS, _redis(redis, port), {}, port=port)}
    cluster = Cluster(control, machines)
    try:
        machines[REDIS].start()
        done = control.touchline("up")
        assert done.returncode == 0, done.stderr
        for name in WORKERS:
            machines[name] = joined(settings, folder, name, _worker(name), of_airflow)
        yield cluster
    finally:
        cluster.stop()


def joined(
    settings: Settings, folder: Path, name: str, command: Sequence[str], of_airflow: Mapping[str, str],
    code: Path = PROJECT_ROOT,
) -> Machine:  # fmt: skip
    """A machine that takes part: its own home, the addresses of the others, the installation's passwords."""
    home = folder / name
    secrets = home / "secrets"
    secrets.mkdir(parents=True, mode=0o700)
    for credential in (*CREDENTIALS_OF_AIRFLOW, *ROLES_OF_TASKS):
        (secrets / credential).write_text(settings.secrets[credential])
    airflow = f"http://{HOST}:{settings.running_port(status.AIRFLOW_API, 0)}"
    own = settings.model_copy(
        update={
            "home": home,
            "database_url": settings.server_url,
            "mlflow_tracking_uri": f"http://{HOST}:{settings.running_port(status.MLFLOW, 0)}",
            "sandbox_url": settings.sandbox_address,
        }
    )
    variables = {
        **own.environment(),
        **of_airflow,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{airflow}/execution/",
        "AIRFLOW__API__BASE_URL": airflow,
        "PYTHONPATH": str(code / "include"),
    }
    return _machine(
        folder, name, [sys.executable, "-m", "touchline.cli", "airflow", "exec", *command], variables
    )


def _machine(
    folder: Path, name: str, command: list[str], variables: Mapping[str, str], port: int = 0
) -> Machine:
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    program = Program(
        name=name,
        command=command,
        environment={**inherited_environment(), **variables},
        folder=str(home),
        digest=digest_of(command, variables),
        port=port,
        health=f"tcp://{HOST}:{port}" if port else None,
    )
    return Machine(Installation(Settings(home=home)), program)


def _redis(program: str, port: int) -> list[str]:
    # What it has taken is on disk within a second.
    return [program, "--bind", HOST, "--port", str(port), "--appendonly", "yes", "--save", ""]


def _worker(name: str) -> list[str]:
    queues = ",".join(names.QUEUES)
    return [
        "airflow", "celery", "worker", "--queues", queues, "--concurrency", SLOTS, "--celery-hostname", name,
        "--skip-serve-logs",
    ]  # fmt: skip
