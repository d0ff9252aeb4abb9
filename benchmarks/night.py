"""A night through the DAGs, against the same steps in one warm process, and where its time goes.

Two installations of their own, one after the other, in the same simulated world: first its history, then a week later a
night that works in the week, then the night after. The DAGs run as `make run` lets them. The warm process calls the
same steps in the same order; it has done the history before, so that nothing is left to load.
"""

from __future__ import annotations

import importlib
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from touchline.database import bootstrap
from touchline.database.engine import connect, open_url, rows
from touchline.operations import names, services, status
from touchline.operations.airflow_api import DagRun
from touchline.operations.edge import run_clock
from touchline.operations.pipeline import run_step
from touchline.operations.run import run_pipeline
from touchline.operations.steps import STEPS, collecting
from touchline.sandbox.clock import advance_clock
from touchline.settings import Settings
from touchline.sources.source import KINDS
from touchline.supervision.programs import free_port, read_life

NIGHTS = {"the night of a week": 7, "the night after": 1}
RUN_SECONDS = 900.0
TRAINING = (names.TRAIN_MODELS, "train")
COLLECTING = [
    step
    for kind in KINDS
    for step in (f"collect_{kind}", f"announce_{kind}", f"{names.ALL_COLLECTED}/{kind}")
]
PREDICTING = ["predict", "forecast_season", "refresh_analytics", names.ALL_PREDICTED]
BEFORE_TRAINING = [*COLLECTING, *names.BUILD, "settle", "measure_drift", "refresh_analytics", *PREDICTING]


@dataclass
class Night:
    """Seconds by the clock from the first trigger until all fixtures are predicted, before and after the training.

    `work` are seconds by the clock of each step, `spent` processor seconds of each step (warm) or service (DAGs), and
    `untrained` those until training began. `waits` says what happened in the seconds of the night.
    """

    until_predicted: float = 0.0
    until_end: float = 0.0
    work: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    spent: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    untrained: dict[str, float] = field(default_factory=dict)
    waits: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """Measure both ways and print them side by side."""
    warm = in_one_process()
    through_dags = by_airflow()
    console = Console()
    for name in NIGHTS:
        console.print(_side_by_side(name, through_dags[name], warm[name]))
        console.print(_parts(name, through_dags[name], warm[name]))


def by_airflow() -> dict[str, Night]:
    """Each night through the DAGs."""
    with _installation() as settings:
        run_pipeline(settings, RUN_SECONDS, lambda _: None, lambda runs, tasks: None)
        return {name: _night_by_airflow(settings, days) for name, days in NIGHTS.items()}


def in_one_process() -> dict[str, Night]:
    """Each night in this process, once it has done the history."""
    with _installation() as settings:
        bootstrap.prepare(settings)
        services.ensure_source(settings)
        services.ensure_mlflow(settings)
        _warm_night(settings, "history")
        # As in the process that tasks are forked from: what is loaded is not searched for garbage.
        importlib.import_module("touchline.operations.loaded")
        found = {}
        for name, days in NIGHTS.items():
            _advance(settings, days)
            found[name] = _warm_night(settings, name)
        return found


def _warm_night(settings: Settings, run_id: str) -> Night:
    night, as_of, began = Night(), run_clock(settings).as_of, time.perf_counter()

    def run(step: str) -> Sequence[str]:
        started, before = time.perf_counter(), _spent(settings)
        # A collection names its sources, as its tasks do.
        row = collecting((step.removeprefix("collect_"),)) if step.startswith("collect_") else STEPS[step]
        outcome = run_step(settings, row, f"{run_id}/{time.monotonic_ns()}", as_of)
        night.work[step] += time.perf_counter() - started
        night.spent[step] += sum((_spent(settings)[name] - seconds) for name, seconds in before.items())
        return outcome.new_assets

    for step in [*COLLECTING, *names.BUILD] if run_id == "history" else BEFORE_TRAINING:
        run(step)
    night.until_predicted = time.perf_counter() - began
    is_new = names.CHAMPION in run("train")
    if is_new:
        for step in PREDICTING:
            run(step)
    night.until_end = time.perf_counter() - began
    return night


def _night_by_airflow(settings: Settings, days: int) -> Night:
    _advance(settings, days)
    before, since, night = _spent(settings), datetime.now().astimezone(), Night()

    def watch(runs: Sequence[DagRun], _: object) -> None:
        if names.TRAIN_MODELS not in {run.dag_id for run in runs}:
            night.untrained = _since(before, _spent(settings))

    run_pipeline(settings, RUN_SECONDS, lambda _: None, watch)
    night.spent = _since(before, _spent(settings))
    tasks, steps = _tasks(settings, since), _steps(settings, since)
    first = min(task["triggered_at"] for task in tasks)
    trained = min(task["triggered_at"] for task in tasks if task["dag_id"] == names.TRAIN_MODELS)
    ends = [task["ended_at"] for task in tasks]
    night.until_end = (max(ends) - first).total_seconds()
    night.until_predicted = (max(end for end in ends if end < trained) - first).total_seconds()
    for step in steps:
        name = step["step"].partition("/")[0]
        # A collection has a task for each source.
        name = name if name.startswith("collect_") else step["step"]
        night.work[name] += (step["ended_at"] - step["began_at"]).total_seconds()
    running = _covered([(task["began_at"], task["ended_at"]) for task in tasks], first, max(ends))
    working = _covered([(step["began_at"], step["ended_at"]) for step in steps], first, max(ends))
    night.waits = {
        "a step works": working,
        "tasks start or end, no step works": running - working,
        f"no task runs (there are {len(tasks)})": night.until_end - running,
    }
    return night


def _since(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    return {name: seconds - before.get(name, 0.0) for name, seconds in now.items()}


def _covered(spans: Sequence[tuple[datetime, datetime]], first: datetime, last: datetime) -> float:
    """Seconds of a period that at least one span covers."""
    seconds, until = 0.0, first
    for began, ended in sorted(spans):
        end = min(ended, last)
        if end > until:
            seconds += (end - max(began, until)).total_seconds()
            until = end
    return seconds


def _tasks(settings: Settings, since: datetime) -> list[dict[str, datetime]]:
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
        return rows(
            connection,
            "select task.dag_id, task_id, run.queued_at as triggered_at, queued_dttm as queued_at, "
            "task.start_date as began_at, task.end_date as ended_at from task_instance as task "
            "inner join dag_run as run using (dag_id, run_id) "
            "where run.queued_at >= %s and task.start_date is not null order by task.start_date",
            (since,),
        )


def _steps(settings: Settings, since: datetime) -> list[dict[str, datetime]]:
    with connect(settings, "ingest") as connection:
        return rows(
            connection,
            "select step, started_at as began_at, finished_at as ended_at from ops.pipeline_run where started_at >= %s",
            (since,),
        )


def _spent(settings: Settings) -> dict[str, float]:
    """Processor seconds so far of this process and of each service, with all that they started and that has ended."""
    spent = {"this process": sum(psutil.Process().cpu_times()[:4])}
    for name in status.SERVICES:
        life = read_life(settings.home, name)
        if life is not None:
            leader = psutil.Process(life.pid)
            spent[name] = sum(_times(process) for process in (leader, *leader.children(recursive=True)))
    return spent


def _times(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.Error:
        return 0.0


def _advance(settings: Settings, days: int) -> None:
    advance_clock(f"http://127.0.0.1:{settings.running_port(status.SANDBOX, 0)}", days)


def _side_by_side(name: str, dags: Night, warm: Night) -> Table:
    table = Table(title=name)
    for column in ("what", "DAGs", "one warm process", "ratio"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for what, one, other in (
        ("seconds until predicted", dags.until_predicted, warm.until_predicted),
        ("seconds, training included", dags.until_end, warm.until_end),
        ("processor seconds", sum(dags.spent.values()), sum(warm.spent.values())),
        (
            "processor seconds without training",
            sum(dags.untrained.values()),
            sum(seconds for step, seconds in warm.spent.items() if step not in TRAINING),
        ),
    ):
        table.add_row(what, f"{one:.1f}", f"{other:.1f}", f"{one / other:.2f}")
    return table


def _parts(name: str, dags: Night, warm: Night) -> Table:
    table = Table(title=f"{name}: where the time goes")
    for column in ("step", "DAGs, seconds", "warm, seconds", "warm, processor seconds"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for step in sorted({*warm.work, *dags.work}, key=lambda step: -warm.work.get(step, 0.0)):
        table.add_row(step, *(f"{each.get(step, 0.0):.2f}" for each in (dags.work, warm.work, warm.spent)))
    table.add_section()
    for part, seconds in dags.waits.items():
        table.add_row(part, f"{seconds:.1f}", "", "")
    table.add_section()
    for service, seconds in sorted(dags.spent.items(), key=lambda found: -found[1]):
        table.add_row(f"processor seconds of {service}", f"{seconds:.1f}", "", "")
    return table


@contextmanager
def _installation() -> Iterator[Settings]:
    home = Path(tempfile.mkdtemp(prefix="touchline-night-"))
    home.chmod(0o755)
    ports = {f"{name}_port": free_port() for name in ("postgres", "airflow", "mlflow", "api", "sandbox")}
    settings = Settings(home=home, history_seasons=4, evaluation_seasons=1, **ports)
    try:
        yield settings
    finally:
        services.stop_all(settings)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
