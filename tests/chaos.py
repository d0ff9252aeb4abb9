"""Kill -9 at random over everything that runs, while three simulated days go by: `make chaos`.

Every process of the installation may be hit: the supervisor, its keeper, PostgreSQL and each of its backends, Airflow's
components, their workers and tasks, MLflow, the API, the sandbox. Nobody helps: each day is asked for once. The same
days without kills are the reference. With `--cluster` the tasks run on two Celery workers with homes of their own
(tests/cluster.py), and workers, Redis and triggerer are among what is killed: `make chaos-cluster`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from cluster import Cluster, clustered
from installation import Installation
from table_digests import lasting_counts, table_digests
from touchline.database.engine import connect, rows
from touchline.errors import SourceUnavailable
from touchline.operations import services, status
from touchline.sandbox.clock import advance_clock
from touchline.settings import Settings
from touchline.supervision.programs import free_port
from touchline.supervision.supervisor import states

PORTS = ("postgres", "airflow", "mlflow", "api", "sandbox")
RECOVERY_SECONDS = 300.0
DAY_SECONDS = 3600.0
LOOK_SECONDS = 0.5
# From one kill to the next, so that a day's kills meet builds and trainings as well as collections.
PAUSE_SECONDS = (1, 6)
# What makes a cluster: every third kill is of one of these in turn, or some might be spared by chance.
OF_A_CLUSTER = ("a Celery worker", "Redis", "Airflow's triggerer")


@dataclass
class Kill:
    """One kill: what was hit, and how long it took until every service answered again (None: it did not in time)."""

    what: str
    seconds: float | None


@dataclass
class Days:
    """What some days came to."""

    days: int
    kills: list[Kill] = field(default_factory=list)
    failed_runs: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    predictions: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main() -> None:
    """Run both, compare, print; exit code 1 when anything due is missing, late, doubled or left running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cluster", action="store_true", help="with two Celery workers and Redis")
    options = parser.parse_args()
    told = Console()
    disturbed, undisturbed = (
        live(options.days, n_kills, np.random.default_rng(options.seed), told, on_cluster=options.cluster)
        for n_kills in (options.kills, 0)
    )
    problems = compare(disturbed, undisturbed)
    if options.cluster:
        spared = set(OF_A_CLUSTER) - {kill.what for kill in disturbed.kills}
        problems += [f"no kill hit {what}" for what in sorted(spared)]
    told.print(table(disturbed, undisturbed))
    for problem in problems:
        told.print(f"[red]{problem}[/]", highlight=False)
    sys.exit(1 if problems else 0)


def live(
    days: int, n_kills: int, chance: np.random.Generator, told: Console, *, on_cluster: bool = False
) -> Days:
    """Some days of a new installation; the kills are spread over them."""
    # Not below a folder of mode 700: PostgreSQL may run as another user.
    folder = Path(tempfile.mkdtemp(prefix="touchline-chaos-"))
    folder.chmod(0o755)
    home = folder / "control"
    home.mkdir(mode=0o755)
    settings = Settings(home=home, data_docs=False, **{f"{name}_port": free_port() for name in PORTS})
    found = Days(days)
    started = time.monotonic()
    stack = ExitStack()
    try:
        installation: Installation | Cluster = Installation(settings)
        if on_cluster:
            installation = stack.enter_context(clustered(settings, folder))
            installation.start_all()
        for day in range(days):
            if day:
                _advance(settings)
            # As many kills on each day, or a busy first one would have them all.
            with killing(installation, n_kills * (day + 1) // days, chance, found.kills, told):
                done = installation.touchline("run", seconds=DAY_SECONDS)
            if done.returncode:
                found.failed_runs.append(f"day {day + 1}: exit code {done.returncode}: {done.stderr[-6000:]}")
            told.print(
                f"day {day + 1} of {days}: {len(found.kills)} kills, {time.monotonic() - started:.0f} s"
            )
        found.seconds = time.monotonic() - started
        found.digests, found.counts = table_digests(settings), lasting_counts(settings)
        found.predictions = predictions(settings)
        installation.remember_sessions()
        if isinstance(installation, Cluster):
            installation.stop()
        else:
            installation.touchline("down")
        found.left = [" ".join(process.cmdline()) or process.name() for process in installation.processes()]
        found.left += [f"port {port} is taken" for port in _taken(settings)]
        return found
    finally:
        stack.close()
        services.stop_all(settings)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def killing(
    installation: Installation | Cluster,
    n_kills: int,
    chance: np.random.Generator,
    kills: list[Kill],
    told: Console,
) -> Iterator[None]:
    """Kill while the block runs until there were `n_kills` in all, each once all services answer."""
    is_over = threading.Event()

    def kill_on() -> None:
        while len(kills) < n_kills and not is_over.wait(chance.uniform(*PAUSE_SECONDS)):
            victims = sorted(_victims(installation), key=lambda process: process.pid)
            if isinstance(installation, Cluster) and len(kills) % 3 == 0:
                wanted = OF_A_CLUSTER[len(kills) // 3 % len(OF_A_CLUSTER)]
                victims = [victim for victim in victims if _is(victim, wanted)]
            if not victims or not is_well(installation):
                continue
            victim = victims[chance.integers(len(victims))]
            try:
                what = _name(victim)
                victim.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
            kills.append(Kill(what, _seconds_to_recover(installation)))
            told.print(f"  {len(kills)}: {kills[-1]}", highlight=False)

    thread = threading.Thread(target=kill_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _seconds_to_recover(installation: Installation | Cluster) -> float | None:
    began = time.monotonic()
    while time.monotonic() - began < RECOVERY_SECONDS:
        # What was killed has to be missed before it can be back.
        time.sleep(LOOK_SECONDS)
        if is_well(installation):
            return time.monotonic() - began
    return None


def is_well(installation: Installation | Cluster) -> bool:
    """Whether every service that was started runs and answers, on every machine."""
    services = status.status(installation.settings).services
    found = [service.state for service in services if service.state != "stopped"]
    if isinstance(installation, Cluster):
        homes = [machine.home for machine in installation.machines.values()]
        others = [state.state for home in homes for state in states(home)]
        found += others if len(others) == len(homes) else ["stopped"]
    return len(found) >= len(status.SERVICES) and all(state == "running" for state in found)


def predictions(settings: Settings) -> dict[str, int]:
    """Fixtures that came into the horizon, those without a prediction, predictions doubled or not before kick-off."""
    query = """
        select
            (select count(*) from analytics.unpredicted) as "fixtures without a prediction",
            (select count(*) from ledger.prediction where predicted_at >= kickoff_at) as "late predictions",
            (select count(*) from (
                select from ledger.prediction group by match_id, model_name, model_version, forecast, predicted_at
                having count(*) > 1
            ) as doubled) as "doubled predictions",
            (select count(distinct match_id) from ledger.prediction) as "matches predicted"
    """
    with connect(settings, "owner") as connection:
        (found,) = rows(connection, query)
    return {name: int(value) for name, value in found.items()}


def compare(disturbed: Days, undisturbed: Days) -> list[str]:
    """What is wrong, in words."""
    problems = [*disturbed.failed_runs, *(f"left after `down`: {each}" for each in disturbed.left)]
    problems += [
        f"{name}: {disturbed.predictions[name]}"
        for name in list(disturbed.predictions)[:3]
        if disturbed.predictions[name]
    ]
    for table_name in sorted(disturbed.digests.keys() | undisturbed.digests.keys()):
        if disturbed.digests.get(table_name) != undisturbed.digests.get(table_name):
            problems.append(f"{table_name} is not what it is without kills")
    problems += [
        f"{name} has {n} rows, without kills {undisturbed.counts.get(name)}"
        for name, n in disturbed.counts.items()
        if undisturbed.counts.get(name) != n
    ]
    problems += [
        f"not back within {RECOVERY_SECONDS:.0f} s after a kill of {kill.what}"
        for kill in disturbed.kills
        if kill.seconds is None
    ]
    return problems


def table(disturbed: Days, undisturbed: Days) -> Table:
    """Time to recover by what was hit, and the days as a whole."""
    times: dict[str, list[float]] = {}
    for kill in disturbed.kills:
        times.setdefault(kill.what, []).append(RECOVERY_SECONDS if kill.seconds is None else kill.seconds)
    report = Table(title=f"{len(disturbed.kills)} kills in {disturbed.days} simulated days")
    for name in ("killed", "times", "median seconds to recover", "longest"):
        report.add_column(name)
    for what, seconds in sorted(times.items(), key=lambda item: -len(item[1])):
        report.add_row(what, str(len(seconds)), f"{statistics.median(seconds):.1f}", f"{max(seconds):.1f}")
    every = [each for seconds in times.values() for each in seconds]
    if every:
        report.add_row("all", str(len(every)), f"{statistics.median(every):.1f}", f"{max(every):.1f}")
    report.caption = (
        f"{disturbed.seconds:.0f} s with kills, {undisturbed.seconds:.0f} s without; {disturbed.predictions}"
    )
    return report


def _victims(installation: Installation | Cluster) -> Iterator[psutil.Process]:
    """Everything but the command that the user waits for."""
    for process in installation.processes():
        try:
            if "touchline.cli" not in process.cmdline():
                yield process
        except psutil.Error:
            continue


def _is(process: psutil.Process, what: str) -> bool:
    with suppress(psutil.Error):
        return _name(process) == what
    return False


def _name(process: psutil.Process) -> str:
    """What a process is, without what is its own alone."""
    command = " ".join(process.cmdline())
    for words, name in (
        ("supervisor.supervisord", "supervisor"),
        ("supervision.keeper", "keeper"),
        ("postgres:", "a backend of PostgreSQL"),
        ("bin/postgres", "PostgreSQL"),
        ("celery", "a Celery worker"),
        ("redis-server", "Redis"),
        ("triggerer", "Airflow's triggerer"),
        ("airflow worker", "a worker or task"),
        ("airflow supervisor", "a worker or task"),
        ("airflow scheduler", "Airflow's scheduler"),
        ("dag-processor", "Airflow's DAG processor"),
        ("api-server", "Airflow's API server"),
        ("airflow api", "Airflow's API server"),
        ("mlflow", "MLflow"),
        ("touchline.database.watchdog", "the watchdog"),
        ("touchline.serving", "the API"),
        ("touchline.sandbox", "the sandbox"),
        ("forkserver", "a fork server"),
        ("resource_tracker", "a resource tracker"),
    ):
        if words in command:
            return name
    return command[:60] or process.name()


def _advance(settings: Settings) -> None:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while time.monotonic() < deadline:
        with suppress(SourceUnavailable):
            advance_clock(f"http://127.0.0.1:{settings.running_port(status.SANDBOX, 0)}", 1)
            break
        time.sleep(LOOK_SECONDS)


def _taken(settings: Settings) -> list[int]:
    ports = {getattr(settings, f"{name}_port") for name in PORTS}
    return [
        connection.laddr.port
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
    ]


if __name__ == "__main__":
    main()
