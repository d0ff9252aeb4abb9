"""A build by hand and the tasks of the DAG are one and the same thing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.execution_time.context import OutletEventAccessors, set_current_context
from typer.testing import CliRunner

from databases import copy_of
from served_world import FIXTURES, NOW
from table_digests import table_digests
from touchline import cli
from touchline.database.engine import connect, rows
from touchline.operations import names
from touchline.settings import PROJECT_ROOT, Settings
from warehouse import land, round_robin

pytestmark = pytest.mark.slow


def build_by_tasks() -> None:
    """Run every task of the DAG in its order, as a worker calls it."""
    build = DagBag(PROJECT_ROOT / "dags", known_pools=set(names.POOLS)).dags[names.BUILD_WAREHOUSE]
    context: Any = {
        "dag_run": SimpleNamespace(dag_id=build.dag_id, run_id="by tasks", run_type="manual"),
        "params": {"as_of": None, "announce": True},
        "triggering_asset_events": {},
        "outlet_events": OutletEventAccessors(),
    }
    as_of = None
    for task in build.topological_sort():
        with set_current_context(context):
            as_of = task.python_callable(as_of)["as_of"]


def records_of(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "ingest") as connection:
        query = "select step, status, as_of, detail -> 'inputs' as inputs from ops.pipeline_run order by step"
        return rows(connection, query)


@pytest.mark.nightly  # By day: tests/dags/test_tasks.py and tests/integration/test_steps.py: both run the same steps.
def test_a_build_by_hand_ends_in_the_tables_and_records_of_the_dag(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    landed = land(settings, tmp_path, [*round_robin(), *FIXTURES], NOW).model_copy(update={"as_of": NOW})
    with copy_of(landed) as by_hand:
        for name, value in by_hand.environment().items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(cli.app, ["build"])
        assert done.exit_code == 0, done.output
        for name, value in landed.environment().items():
            monkeypatch.setenv(name, value)
        build_by_tasks()
        assert records_of(by_hand) == records_of(landed)
        assert [row["step"] for row in records_of(landed)] == sorted(names.BUILD)
        assert table_digests(by_hand) == table_digests(landed)
