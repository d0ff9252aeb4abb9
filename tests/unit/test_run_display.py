"""What a run shows: a live table on a terminal, one line an event elsewhere, nothing when a machine reads."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from touchline.cli import run_display
from touchline.cli.run_display import RunDisplay
from touchline.operations.airflow_api import DagRun, TaskRun, is_only_degraded

RUN = DagRun("build_warehouse", "run-1", "running")


def task(task_id: str, state: str | None, try_number: int = 1) -> TaskRun:
    return TaskRun("build_warehouse", "run-1", task_id, state, try_number, 1.25)


def shown(
    *states: list[TaskRun], terminal: bool = False, quiet: bool = False, runs: Sequence[DagRun] = (RUN,)
) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=100)
    with RunDisplay(console, quiet=quiet) as display:
        display.tell("mlflow")
        for tasks in states:
            display.watch(runs, tasks)
    return text.getvalue()


def test_without_a_terminal_every_event_is_told_once():
    done = task("build_core", "success")
    lines = shown([task("build_core", "running")], [done], [done, task("update_ratings", None)]).splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "waiting for mlflow",
        "build_warehouse.build_core: success (1.2 s)",
    ]


def test_another_try_is_told_as_such():
    told = shown([task("build_core", "up_for_retry")], [task("build_core", "failed", try_number=2)])
    assert "build_core: to be tried again" in told
    assert "build_core: failed" in told


def test_a_silence_is_broken_by_what_is_waited_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(run_display, "SILENCE_SECONDS", 0.0)
    assert "waiting for build_warehouse.build_core queued, predict_matches (queued)" in shown(
        [task("build_core", "queued")], runs=(RUN, DagRun("predict_matches", "run-2", "queued"))
    )


def test_a_verdict_that_fails_is_told_as_degraded():
    tasks = [task("predict", "success"), task("all_predicted", "failed")]
    assert "build_warehouse.all_predicted: degraded" in shown(tasks)
    assert "build_warehouse.predict: failed" in shown([task("predict", "failed"), tasks[1]])


def test_a_run_of_which_only_the_verdict_failed_has_done_its_work():
    verdict, other = task("all_predicted", "failed"), task("predict", "failed")
    assert is_only_degraded([task("predict", "success"), verdict])
    assert not is_only_degraded([other, verdict])
    assert not is_only_degraded([task("predict", "success")]), "it took too long"


def test_a_terminal_shows_all_dags_and_what_runs_now():
    skipped = task("collect_rest.football_data_uk", "skipped")
    told = shown([task("build_core", "success"), task("update_ratings", "running"), skipped], terminal=True)
    assert "starting mlflow" in told
    assert "train_models" in told
    assert "waiting" in told
    assert "1/2" in told
    assert "update_ratings 1 s" in told


def test_a_machine_is_shown_nothing():
    assert shown([task("build_core", "success")], quiet=True) == ""
    assert shown([task("build_core", "success")], quiet=True, terminal=True) == ""
