"""A task of ours, run by Airflow itself, tells OpenLineage of itself, its datasets and its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from touchline.openlineage.transport import events_file, write_client_file
from touchline.operations.airflow_settings import QUIET
from touchline.settings import PROJECT_ROOT, Settings

# By day: the tasks of a whole run, tests/end_to_end/test_run.py.
pytestmark = [pytest.mark.slow, pytest.mark.nightly]

# `predict` is a step that touches tables; its work is of no matter here.
DAG = """
import json
from dataclasses import dataclass
from pathlib import Path

from airflow.sdk import dag, task

from touchline.operations.pipeline import Step
from touchline_tasks import run_step


@dataclass(frozen=True)
class Report:
    summary: str = "Done."


def work(run):
    (run.settings.home / "parent").write_text(run.settings.lineage_parent)
    return Report()


@dag(schedule=None)
def told():
    @task
    def make():
        return run_step(Step("predict", "Predict.", work, is_recorded=False), "2022-11-02T12:00:00+00:00")

    make()


told()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after the DAG has run once, with Airflow's own command and its settings as `touchline up` gives them."""
    home = tmp_path_factory.mktemp("told")
    for name in ("dags", "airflow", "logs"):
        (home / name).mkdir()
    (home / "dags" / "told.py").write_text(DAG)
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "PYTEST", "TOUCHLINE"))
        },
        **QUIET,
        "TOUCHLINE_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW_CONFIG": str(PROJECT_ROOT / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__OPENLINEAGE__CONFIG_PATH": str(write_client_file(Settings(home=home))),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "touchline",
        "PYTHONPATH": os.pathsep.join(str(PROJECT_ROOT / name) for name in ("include", "plugins")),
    }
    for command in (["db", "migrate"], ["dags", "test", "told"]):
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return home


@pytest.fixture(scope="module")
def events(home: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in events_file(Settings(home=home)).read_text().splitlines()]


def test_a_task_has_a_start_and_an_end_in_our_namespace(events: list[dict[str, Any]]):
    own = [event for event in events if event["job"]["name"] == "told.make"]
    assert [event["eventType"] for event in own] == ["START", "COMPLETE"]
    assert {event["job"]["namespace"] for event in own} == {"touchline"}
    assert len({event["run"]["runId"] for event in own}) == 1


def test_a_task_names_the_tables_its_step_touched(events: list[dict[str, Any]]):
    (ended,) = [
        event for event in events if event["job"]["name"] == "told.make" and event["eventType"] == "COMPLETE"
    ]
    assert {each["name"] for each in ended["outputs"]} == {
        "touchline_sandbox.ledger.prediction", "touchline_sandbox.ops.quality_result",
        "touchline_sandbox.ops.competition_hold", "touchline_sandbox.ops.competition_release",
    }  # fmt: skip
    assert "touchline_sandbox.features.match_features" in {each["name"] for each in ended["inputs"]}
    assert ended["inputs"][0]["namespace"].startswith("postgres://127.0.0.1:")


def test_what_runs_inside_a_task_is_told_whose_run_it_is_part_of(home: Path, events: list[dict[str, Any]]):
    namespace, job, run_id = (home / "parent").read_text().split("/")
    assert (namespace, job) == ("touchline", "told.make")
    assert run_id == next(event["run"]["runId"] for event in events if event["job"]["name"] == "told.make")
