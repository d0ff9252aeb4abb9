"""The display of a run in progress: a live table on a terminal, one line per event anywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from touchline.operations import names
from touchline.operations.airflow_api import DagRun, TaskRun, is_only_degraded

MARKS = {
    "success": "[green]done[/]",
    "running": "[cyan]running[/]",
    "queued": "[dim]queued[/]",
    "degraded": "[bold yellow]degraded[/]",
    "failed": "[bold red]failed[/]",
}
TOLD = ("success", "failed", "up_for_retry")
UNFINISHED = ("queued", "scheduled", "running", "up_for_retry", "restarting", "deferred", "awaiting_input")
# After so long without an event a line says what is being waited for.
SILENCE_SECONDS = 30.0


class RunDisplay:
    """Use as a context manager; hand its `tell` and `watch` to `run_pipeline`."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._started = time.monotonic()
        self._starting = ""
        self._last_line = self._started
        self._told: set[tuple[str, str, str, int, str]] = set()
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> RunDisplay:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_live:
            self._live.stop()

    def tell(self, what: str) -> None:
        """Show the service that the run is waiting for."""
        self._starting = what
        if self._is_live:
            self._live.update(f"{self._elapsed} starting {what} ...", refresh=True)
        elif not self._quiet:
            self._line(f"waiting for {what}")

    def watch(self, runs: Sequence[DagRun], tasks: Sequence[TaskRun]) -> None:
        """Show the state of every run and task."""
        if self._is_live:
            self._live.update(self._table(runs, tasks), refresh=True)
        elif not self._quiet:
            for task in tasks:
                self._tell_once(task)
            if time.monotonic() - self._last_line > SILENCE_SECONDS:
                self._line(f"waiting for {_unfinished(runs, tasks)}")

    @property
    def _is_live(self) -> bool:
        return self._console.is_terminal and not self._quiet

    @property
    def _elapsed(self) -> str:
        seconds = int(time.monotonic() - self._started)
        return f"{seconds // 60:02d}:{seconds % 60:02d}"

    def _tell_once(self, task: TaskRun) -> None:
        event = (task.dag_id, task.run_id, task.task_id, task.try_number, task.state or "")
        if task.state in TOLD and event not in self._told:
            self._told.add(event)
            state = "to be tried again" if task.state == "up_for_retry" else task.state
            if is_only_degraded([task]):
                state = "degraded"
            self._line(f"{task.dag_id}.{task.task_id}: {state} ({task.seconds or 0:.1f} s)")

    def _line(self, text: str) -> None:
        self._last_line = time.monotonic()
        self._console.print(f"{self._elapsed} {text}", markup=False, highlight=False)

    def _table(self, runs: Sequence[DagRun], tasks: Sequence[TaskRun]) -> Table:
        table = Table(title=f"Touchline pipeline, {self._elapsed}", title_justify="left")
        for column in ("DAG", "state", "tasks", "now"):
            table.add_column(column)
        newest = {run.dag_id: run for run in reversed(runs)}
        for dag_id in names.DAGS:
            run = newest.get(dag_id)
            if run is None:
                table.add_row(dag_id, "[dim]waiting[/]", "", "")
                continue
            # A task is skipped for a source that is not in use, or of which nothing is left to collect.
            own = [
                task
                for task in tasks
                if (task.dag_id, task.run_id) == (dag_id, run.run_id) and task.state != "skipped"
            ]
            done = sum(task.state == "success" for task in own)
            active = [task for task in own if task.state in (*UNFINISHED, "failed")]
            now = ", ".join(_now(task) for task in active)
            state = "degraded" if run.state == "failed" and is_only_degraded(own) else run.state
            table.add_row(dag_id, MARKS.get(state, state), f"{done}/{len(own)}", now)
        return table


def _now(task: TaskRun) -> str:
    return (
        f"{task.task_id} {task.seconds or 0:.0f} s"
        if task.state == "running"
        else f"{task.task_id} {task.state}"
    )


def _unfinished(runs: Sequence[DagRun], tasks: Sequence[TaskRun]) -> str:
    """The tasks that others wait for, and runs that have none yet."""
    found = [f"{task.dag_id}.{_now(task)}" for task in tasks if task.state in UNFINISHED]
    busy = {(task.dag_id, task.run_id) for task in tasks if task.state in UNFINISHED}
    found += [
        f"{run.dag_id} ({run.state})"
        for run in runs
        if run.state in ("queued", "running") and (run.dag_id, run.run_id) not in busy
    ]
    return ", ".join(found) or "Airflow"
