"""The graph that is played without Airflow is the graph of the DAG files."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Asset

from touchline.operations import names
from touchline.operations.flow import FLOWS, Flow
from touchline.operations.steps import STEPS
from touchline.settings import PROJECT_ROOT

# Asks a person, of whom a replay has none.
NOT_PLAYED = {"approve_promotion"}


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(PROJECT_ROOT / "dags", known_pools={"default_pool", *names.POOLS})


@pytest.fixture(params=FLOWS)
def flow(request: pytest.FixtureRequest) -> Flow:
    return FLOWS[request.param]


@pytest.fixture
def dag(bag: DagBag, flow: Flow) -> DAG:
    return bag.dags[flow.dag_id]


def assets_that_start(dag: DAG) -> set[str]:
    return names_in(getattr(dag.timetable, "asset_condition", None))


def names_in(condition: object) -> set[str]:
    if isinstance(condition, Asset):
        return {condition.name}
    return set().union(*(names_in(each) for each in getattr(condition, "objects", ())))


def all_before(graph: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """What has to be done before each, directly or not: a task also waits for the one whose `as_of` it takes."""

    def before(step: str) -> set[str]:
        return set(graph[step]).union(*(before(each) for each in graph[step]))

    return {step: before(step) for step in graph}


def test_every_dag_that_an_asset_starts_is_in_the_graph(bag: DagBag):
    started = {dag_id for dag_id, dag in bag.dags.items() if assets_that_start(dag)}
    assert started - NOT_PLAYED <= set(FLOWS) <= set(bag.dags)


def test_its_steps_wait_for_one_another_as_the_tasks_do(flow: Flow, dag: DAG):
    tasks = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert all_before(flow.steps) == all_before(tasks)
    assert set(flow.steps) <= set(STEPS)


def test_its_steps_are_in_an_order_in_which_they_can_run(flow: Flow):
    steps = list(flow.steps)
    for place, waits_for in enumerate(flow.steps.values()):
        assert set(waits_for) <= set(steps[:place])


def test_the_same_assets_start_it(flow: Flow, dag: DAG):
    assert assets_that_start(dag) == flow.started_by
