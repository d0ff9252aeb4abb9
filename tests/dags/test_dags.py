"""Every DAG can be read, says what an operator needs to know, and holds no logic."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from configparser import RawConfigParser
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from touchline.operations import matchday, names
from touchline.operations.pools import pools
from touchline.operations.steps import STEPS
from touchline.settings import PROJECT_ROOT, Settings

POOLS = pools(Settings())
FILES = sorted((PROJECT_ROOT / "dags").glob("*.py"))


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(PROJECT_ROOT / "dags", known_pools={"default_pool", *POOLS})


def test_every_file_is_read_without_error(bag: DagBag):
    assert bag.import_errors == {}
    assert set(bag.dags) == set(names.DAGS)


@pytest.fixture(params=names.DAGS)
def dag(request: pytest.FixtureRequest, bag: DagBag) -> DAG:
    return bag.dags[request.param]


def test_a_dag_tells_the_operator_what_it_does_and_what_to_do_when_it_fails(dag: DAG):
    assert dag.doc_md is not None
    for word in ("**What**", "**When**", "**Reads**", "**Publishes**"):
        assert word in dag.doc_md
    failing = dag.doc_md.partition("fails**")[2]
    for task in dag.tasks:
        assert f"`{task.task_id.partition('.')[0]}`" in dag.doc_md.partition("**When")[2] + failing
    assert failing


def test_a_dag_has_owner_tags_and_limits(dag: DAG):
    assert names.TAG in dag.tags
    assert len(dag.tags) >= 2
    # Several versions may wait for a person, side by side.
    assert dag.max_active_runs == (8 if dag.dag_id == names.APPROVE_PROMOTION else 1)
    assert dag.dagrun_timeout is not None
    assert not dag.catchup
    for task in dag.tasks:
        assert task.owner == names.OWNER
        assert task.retries >= 1
        assert task.execution_timeout is not None
        assert task.execution_timeout <= dag.dagrun_timeout
        assert task.retry_delay <= timedelta(minutes=1)
        assert task.pool in POOLS
        assert task.retry_policy is not None
        assert task.on_failure_callback


def test_assets_start_the_dags_that_need_them(bag: DagBag):
    def waits_for(dag_id: str) -> set[str]:
        return {asset.name for asset in bag.dags[dag_id].timetable.asset_condition.objects}

    assert waits_for(names.BUILD_WAREHOUSE) == {
        names.LANDING_FIXTURES,
        names.LANDING_ODDS,
        names.LANDING_SCORES,
    }
    assert waits_for(names.PREDICT_MATCHES) == {names.FEATURES, names.CHAMPION}
    assert waits_for(names.SETTLE_PREDICTIONS) == {names.RESULTS}
    assert waits_for(names.TRAIN_MODELS) == {names.DRIFT, names.TUNED}
    assert waits_for(names.APPROVE_PROMOTION) == {names.CANDIDATE}


def test_parameters_are_searched_once_a_week_and_models_are_trained_every_night(bag: DagBag):
    weekly, nightly = (bag.dags[name].timetable for name in (names.TUNE_MODELS, names.TRAIN_MODELS))
    assert weekly.expression == "0 4 * * 0"
    assert bag.dags[names.REPORT_MODELS].timetable.expression == "0 6 * * 0", "after what is learnt that day"
    assert nightly.timetable.expression == "0 3 * * *"


def test_fixtures_are_collected_when_a_source_that_asks_for_a_pause_is_told_they_are(bag: DagBag):
    hour = matchday.FIXTURES_AT // timedelta(hours=1)
    assert bag.dags[names.COLLECT_FIXTURES].timetable.expression == f"0 {hour} * * *"


def test_every_dag_has_days_for_a_backfill(bag: DagBag):
    read = {name: DagSerialization.from_dict(DagSerialization.to_dict(dag)) for name, dag in bag.dags.items()}
    march = pendulum.datetime(2023, 3, 1), pendulum.datetime(2023, 3, 31, 23)
    days = {name: [*dag.iter_dagrun_infos_between(*march)] for name, dag in read.items()}
    weekly = (names.TUNE_MODELS, names.REPORT_MODELS, names.CHECK_BACKUP)
    expected = {**dict.fromkeys(names.DAGS, 31), **dict.fromkeys(weekly, 4)}
    assert {name: len(found) for name, found in days.items()} == expected
    assert all(dag.timetable.periodic for dag in read.values())


def test_every_asset_is_published_by_the_tasks_that_can_make_it_new(bag: DagBag):
    found = {
        (outlet.name.removesuffix(" when new"), dag.dag_id, task.task_id.partition(".")[0])
        for dag in bag.dags.values()
        for task in dag.tasks
        for outlet in getattr(task, "outlets", [])
    }
    of_a_collection = {
        (asset, f"collect_{kind}", task)
        for kind, asset in names.LANDING.items()
        for task in ("announce", "collect_rest")
    }
    others = found - of_a_collection
    assert found - others == of_a_collection
    assert sorted(asset for asset, *_ in others) == sorted(
        [*set(names.ASSETS) - set(names.LANDING.values()), names.CHAMPION]
    ), "a champion comes of training, or of an approval"


def test_what_leads_to_predictions_goes_first_and_what_looks_back_or_learns_goes_last(bag: DagBag):
    def weights(dag_id: str) -> dict[str, int]:
        return {task.task_id.partition(".")[0]: task.priority_weight for task in bag.dags[dag_id].tasks}

    chain = [
        weights(names.COLLECT_ODDS)["collect"], weights(names.COLLECT_ODDS)["announce"],
        weights(names.BUILD_WAREHOUSE)["build_core"], weights(names.PREDICT_MATCHES)["predict"],
    ]  # fmt: skip
    assert chain == sorted(chain)
    rest = {
        **weights(names.TRAIN_MODELS), **weights(names.TUNE_MODELS), **weights(names.SETTLE_PREDICTIONS),
        "detect_anomalies": weights(names.BUILD_WAREHOUSE)["detect_anomalies"],
    }  # fmt: skip
    del rest["refresh_analytics"]
    assert max(rest.values()) < chain[0]
    # A task's own weight counts, whatever comes after it.
    assert {task.weight_rule for dag in bag.dags.values() for task in dag.tasks} == {"absolute"}


def test_a_run_that_takes_too_long_is_told_before_it_is_ended(bag: DagBag):
    for dag_id in set(names.DAGS) - {names.APPROVE_PROMOTION}:
        (deadline,) = bag.dags[dag_id].deadline
        assert deadline.interval < bag.dags[dag_id].dagrun_timeout


def test_every_step_is_a_task_with_its_name_and_what_it_publishes(bag: DagBag):
    tasks = {task.task_id: task for dag in bag.dags.values() for task in dag.tasks}
    of_a_collection = {"sources", "announce", names.ALL_COLLECTED} | {
        name for name in tasks if name.startswith(("collect.", "collect_rest."))
    }
    by_hand_or_asked = {"check_core", "promote", "approve"}
    of_the_table = {
        name for name in STEPS if not name.startswith(("collect_", "announce_", names.ALL_COLLECTED))
    }
    assert tasks.keys() - of_a_collection - by_hand_or_asked == of_the_table - by_hand_or_asked
    assert {"promote", "approve"} <= tasks.keys()
    for name in tasks.keys() - of_a_collection - by_hand_or_asked:
        outlets = [outlet.name for outlet in getattr(tasks[name], "outlets", [])]
        assert outlets == [f"{asset} when new" for asset in STEPS[name].publishes]


def test_a_build_is_one_chain_so_a_failed_gate_stops_what_follows(bag: DagBag):
    build = bag.dags[names.BUILD_WAREHOUSE]
    order = [task.task_id for task in build.topological_sort() if task.task_id != "detect_anomalies"]
    assert order == list(names.BUILD_STEPS)
    for before, after in itertools.pairwise(order):
        assert after in build.get_task(before).downstream_task_ids


def test_a_step_comes_after_the_one_whose_inputs_it_takes_over(bag: DagBag):
    build = bag.dags[names.BUILD_WAREHOUSE]
    for task in build.tasks:
        follows = STEPS[task.task_id].follows
        assert follows is None or follows in task.get_flat_relative_ids(upstream=True)
    order = list(names.BUILD)
    for name in order[1:]:
        assert order.index(STEPS[name].follows) < order.index(name)


def test_nothing_waits_for_the_search_for_anomalies_which_follows_the_gate(bag: DagBag):
    search = bag.dags[names.BUILD_WAREHOUSE].get_task("detect_anomalies")
    assert search.upstream_task_ids - {"check_landing"} == {"check_features"}
    assert search.downstream_task_ids == set()


@pytest.mark.parametrize(
    ("dag_id", "verdict"),
    [
        (names.COLLECT_FIXTURES, names.ALL_COLLECTED),
        (names.COLLECT_ODDS, names.ALL_COLLECTED),
        (names.COLLECT_SCORES, names.ALL_COLLECTED),
        (names.PREDICT_MATCHES, names.ALL_PREDICTED),
    ],
)
def test_a_dag_that_can_be_degraded_ends_with_a_verdict_for_which_nothing_waits(
    bag: DagBag, dag_id: str, verdict: str
):
    task = bag.dags[dag_id].get_task(verdict)
    assert task.upstream_task_ids
    assert task.downstream_task_ids == set()
    assert not getattr(task, "outlets", [])
    assert not bag.dags[dag_id].default_args.get("depends_on_past")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_a_table_of_contents(path: Path):
    """Imports, one decorated DAG of steps in their order, and nothing that decides or repeats."""
    tree = ast.parse(path.read_text())
    forbidden = (ast.If, ast.For, ast.While, ast.Try, ast.With, ast.ClassDef, ast.Lambda)
    assert not [node for node in ast.walk(tree) if isinstance(node, forbidden)]
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert function.name == path.stem
    assert len(function.decorator_list) == 1


FORKED = """
import gc
import multiprocessing

def look():
    print(gc.isenabled(), gc.get_freeze_count() > 0)

if __name__ == "__main__":
    multiprocessing.set_forkserver_preload({preload})
    task = multiprocessing.get_context("forkserver").Process(target=look)
    task.start()
    task.join()
"""


def test_no_task_looks_for_garbage_in_what_it_was_forked_with(tmp_path: Path):
    configuration = RawConfigParser()
    configuration.read(PROJECT_ROOT / "airflow.cfg")
    preload = configuration["scheduler"]["mp_forkserver_preload"].split(",")
    (tmp_path / "forked.py").write_text(FORKED.format(preload=[preload[0], "json", preload[-1]]))
    told = subprocess.run(
        [sys.executable, "forked.py"],
        cwd=tmp_path, env={"PYTHONPATH": str(PROJECT_ROOT / "include")}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == ["True", "True"], told.stderr
