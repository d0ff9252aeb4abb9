"""What the doctor makes of Airflow's health and of runs that do not move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from touchline.operations.airflow_api import DagRun, TaskRun
from touchline.operations.service_checks import PATIENCE, judge_health, standing_runs

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LONG_AGO = NOW - PATIENCE - MINUTE
HEALTHY = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-30T11:59:58+00:00"},
    "triggerer": {"status": "healthy", "latest_triggerer_heartbeat": "2026-11-30T11:59:58+00:00"},
    "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": "2026-11-30T11:59:58+00:00"},
}


def states(**changes: Any) -> dict[str, str]:
    checks = judge_health(HEALTHY | {part: {"status": status} for part, status in changes.items()})
    return {check.subject.removeprefix("Airflow's "): check.state for check in checks}


def test_of_a_healthy_airflow_every_part_is_well():
    assert {check.state for check in judge_health(HEALTHY)} == {"ok"}


@pytest.mark.parametrize("part", ["metadatabase", "scheduler", "dag_processor", "triggerer"])
@pytest.mark.parametrize("status", ["unhealthy", None])
def test_a_part_without_which_nothing_runs_fails_whatever_the_status_code_of_the_reply(
    part: str, status: str | None
):
    assert [name for name, state in states(**{part: status}).items() if state == "failed"] == [
        part.replace("_", " ")
    ]


def test_without_its_database_nothing_is_said_of_the_other_parts():
    unknown = {part: {"status": "unhealthy"} for part in HEALTHY}
    assert [check.subject for check in judge_health(unknown)] == ["Airflow's metadatabase"]


def test_a_dead_part_is_told_with_its_last_heartbeat():
    dead = {"scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": "2026-11-30T09:00:00+00:00"}}
    finding = next(check.finding for check in judge_health(HEALTHY | dead) if check.state == "failed")
    assert "2026-11-30T09:00:00" in finding


def run(dag_id: str = "build_warehouse", changed_at: datetime = LONG_AGO, state: str = "running") -> DagRun:
    return DagRun(dag_id, "run", state, changed_at)


def task(state: str | None, changed_at: datetime | None) -> TaskRun:
    return TaskRun("build_warehouse", "run", "build_core", state, 1, None, changed_at)


@pytest.mark.parametrize(
    ("state", "changed_at"),
    [
        ("running", LONG_AGO),
        ("queued", NOW - MINUTE),
        ("success", NOW - MINUTE),
        ("up_for_retry", NOW - 5 * MINUTE),
    ],
)
def test_a_run_moves_while_a_task_works_or_has_just_changed(state: str, changed_at: datetime):
    assert standing_runs({run(): [task(state, changed_at)]}, NOW) == []


@pytest.mark.parametrize("state", ["queued", "scheduled", "success"])
def test_a_run_stands_when_nothing_has_changed_for_long(state: str):
    assert standing_runs({run(): [task(state, LONG_AGO)]}, NOW) == [run()]


@pytest.mark.parametrize("state", ["deferred", "awaiting_input"])
def test_a_run_that_waits_for_a_source_or_for_a_person_moves_by_itself(state: str):
    assert standing_runs({run(): [task(state, LONG_AGO)]}, NOW) == []


def test_a_run_whose_task_was_lost_by_its_worker_stands_even_if_others_work():
    other = run("train_models")
    assert standing_runs({run(): [task("queued", LONG_AGO)], other: [task("running", LONG_AGO)]}, NOW) == [
        run()
    ]


def test_a_run_that_waits_for_another_moves_with_it():
    waiting = run(state="queued")
    assert standing_runs({waiting: [], run("train_models"): [task("running", LONG_AGO)]}, NOW) == []
    assert standing_runs({waiting: []}, NOW) == [waiting]
