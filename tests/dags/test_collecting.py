"""The tasks of a collection as Airflow calls them, with a provider that asks for a pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped, TaskDeferred
from airflow.sdk.execution_time.context import OutletEventAccessors, set_current_context

import touchline_collecting
from scripted_provider import ScriptedProvider, ScriptedReply
from touchline.clock import live_clock
from touchline.database.engine import connect
from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.operations.sources import sources_giving
from touchline.settings import Settings
from touchline.sources import registry
from touchline.sources.configuration import DEFAULT_PATH
from touchline_collecting import (
    Collect,
    CollectRest,
    collect_from_sources,
    sources_of,
    take_keys_from_airflow,
    window_of_backfill,
)
from touchline_tasks import DAG_DEFAULTS

FRIDAY = datetime(2026, 3, 13, 16, tzinfo=UTC)
NOTHING = ScriptedReply(body=b'{"games": []}')
BUSY = ScriptedReply(429, headers={"Retry-After": "600"})


@dataclass
class Instance:
    """What a task says to Airflow."""

    before: Any = None
    try_number: int = 1
    map_index: int = -1
    said: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.said[key] = value

    def xcom_pull(self, task_ids: str) -> Any:
        return self.before


@pytest.fixture
def example(
    settings: Settings, provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A source of three competitions, each of which is one request; they are made one after another."""
    configured = yaml.safe_load(DEFAULT_PATH.read_text())
    configured["sources"]["example"] = {
        "address": provider.address, "gives": ["fixtures", "scores"], "calls_per_minute": 60_000,
        "competitions": {"E0": "first", "E1": "second", "E2": "third"},
    }  # fmt: skip
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(configured))
    monkeypatch.setitem(registry.FACTORIES, "example", ("example_source", "ExampleSource", "ExampleDialect"))
    monkeypatch.setattr("touchline.landing.asking.REQUESTS_AT_ONCE", 1)
    live = settings.model_copy(update={"source": "example", "sources_file": tmp_path / "sources.yaml"})
    for name, value in live.environment().items():
        monkeypatch.setenv(name, value)
    return live


@pytest.fixture
def dag(example: Settings) -> DAG:
    with DAG("collect_fixtures", schedule=None, **DAG_DEFAULTS) as made:
        collect_from_sources("fixtures")
    return made


@pytest.fixture
def act(dag: DAG) -> Callable[..., Any]:
    """Call a method of a task in a run that has just begun."""

    def call(
        task_id: str, method: str, before: Any = None, run_type: str = "scheduled", try_number: int = 1
    ) -> Any:
        run = SimpleNamespace(
            dag_id=dag.dag_id,
            run_id="a run",
            run_type=run_type,
            start_date=live_clock().as_of,
            logical_date=FRIDAY,
            data_interval_end=FRIDAY,
        )
        context: Any = {
            "dag_run": run, "dag": dag, "ti": Instance(before, try_number),
            "params": {"as_of": None, "announce": False}, "triggering_asset_events": {},
            "outlet_events": OutletEventAccessors(),
        }  # fmt: skip
        with set_current_context(context):
            return getattr(dag.get_task(task_id), method)(context)

    return call


def test_every_source_that_gives_a_kind_has_a_task_in_its_own_pool(dag: DAG):
    tasks = {task.task_id: task for task in dag.tasks}
    for source in sources_of("fixtures"):
        collect, rest = tasks[f"collect.{source}"], tasks[f"collect_rest.{source}"]
        assert isinstance(collect, Collect)
        assert isinstance(rest, CollectRest)
        assert collect.pool == rest.pool == f"source_{source}"
    assert "collect.example" in tasks
    assert len({task.pool for name, task in tasks.items() if name.startswith("collect.")}) == len(
        sources_of("fixtures")
    )


def test_what_the_others_gave_is_announced_without_waiting_for_the_rest_of_a_source(dag: DAG):
    announce = dag.get_task("announce")
    assert announce.trigger_rule == "all_done"
    assert not [
        name for name in announce.get_flat_relative_ids(upstream=True) if name.startswith("collect_rest")
    ]


@pytest.mark.slow
def test_when_nothing_is_left_the_task_for_the_rest_is_skipped(
    answers: list[ScriptedReply], provider: ScriptedProvider, act: Callable[..., Any]
):
    answers[:] = [NOTHING]
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        act("collect.example", "execute")
    assert skipped.value.tasks == ["collect_rest.example"]
    assert len(provider.paths) == 3


@pytest.mark.slow
def test_a_pause_that_a_provider_asks_for_is_waited_for_without_a_worker_and_only_what_is_missing_is_asked_then(
    answers: list[ScriptedReply], provider: ScriptedProvider, act: Callable[..., Any], example: Settings,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    far = live_clock().as_of + timedelta(hours=2)
    monkeypatch.setattr(touchline_collecting, "next_planned", lambda *_: far)
    answers[:] = [NOTHING, BUSY]
    before = act("collect.example", "execute")
    assert len(provider.paths) == 2, "the third request is not made when the second was told to wait"
    with pytest.raises(TaskDeferred) as deferred:
        act("collect_rest.example", "execute", before)
    wait = deferred.value.trigger.moment - live_clock().as_of
    assert timedelta(minutes=9) < wait <= timedelta(minutes=10)
    with pytest.raises(TaskDeferred):
        act("collect_rest.example", deferred.value.method_name)
    assert len(provider.paths) == 2, "nobody asks before the time"

    with connect(example, "ingest") as connection:
        connection.execute("update ops.source_state set asked_until = now(), next_call_at = now()")
    answers[:] = [NOTHING]
    act("collect_rest.example", deferred.value.method_name)
    assert [path.partition("=")[2] for path in provider.paths] == ["first", "second", "second", "third"]


@pytest.mark.slow
def test_a_pause_beyond_the_next_planned_run_is_left_to_that_run(
    answers: list[ScriptedReply], act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    soon = live_clock().as_of + timedelta(minutes=5)
    monkeypatch.setattr(touchline_collecting, "next_planned", lambda *_: soon)
    answers[:] = [NOTHING, BUSY]
    with pytest.raises(DownstreamTasksSkipped):
        act("collect.example", "execute")


@pytest.mark.slow
def test_a_source_that_rests_and_has_given_nothing_is_skipped(
    answers: list[ScriptedReply], act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    soon = live_clock().as_of + timedelta(minutes=5)
    monkeypatch.setattr(touchline_collecting, "next_planned", lambda *_: soon)
    answers[:] = [BUSY]
    with pytest.raises(AirflowSkipException, match="asks to be left alone"):
        act("collect.example", "execute")
    with pytest.raises(AirflowSkipException, match="asked to be left alone"):
        act("collect.example", "execute", try_number=2)


@pytest.mark.slow
def test_a_source_that_rests_because_a_try_before_has_failed_has_failed(
    answers: list[ScriptedReply], act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("touchline.sources.governor.FAILURES_THAT_OPEN", 4)
    answers[:] = [ScriptedReply(500)]
    with pytest.raises(SourceUnavailable, match="status 500"):
        act("collect.example", "execute")
    with pytest.raises(SourceUnavailable, match="failures in a row"):
        act("collect.example", "execute", try_number=2)
    with pytest.raises(AirflowSkipException, match="failures in a row"):
        act("collect.example", "execute")


@pytest.mark.slow
def test_a_slow_source_hands_the_rest_over_and_what_it_gave_is_kept(
    answers: list[ScriptedReply],
    provider: ScriptedProvider,
    act: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
):
    far = live_clock().as_of + timedelta(hours=2)
    monkeypatch.setattr(touchline_collecting, "next_planned", lambda *_: far)
    monkeypatch.setattr(touchline_collecting, "PROMPT_SECONDS", 0.0)
    answers[:] = [NOTHING]
    before = act("collect.example", "execute")
    assert "slow; 3 requests are left" in before["summary"]
    with pytest.raises(TaskDeferred) as deferred:
        act("collect_rest.example", "execute", before)
    act("collect_rest.example", deferred.value.method_name)
    assert len(provider.paths) == 3


@pytest.mark.slow
def test_in_a_backfill_a_day_with_a_body_of_another_form_fails_as_such(
    answers: list[ScriptedReply], act: Callable[..., Any]
):
    answers[:] = [ScriptedReply(body=b'{"matches": []}')]
    with pytest.raises(PayloadRejected, match="games"):
        act("collect.example", "execute", run_type="backfill")


@pytest.mark.slow
def test_in_a_backfill_a_pause_beyond_the_end_of_the_run_fails_the_day(
    answers: list[ScriptedReply], act: Callable[..., Any]
):
    answers[:] = [NOTHING, ScriptedReply(429, headers={"Retry-After": "86400"})]
    with pytest.raises(SourceUnavailable, match="clear this task"):
        act("collect.example", "execute", run_type="backfill")


def test_a_run_of_a_backfill_collects_the_matches_of_its_day_and_every_other_run_what_is_offered_now():
    for run_type, window in (
        ("backfill", (FRIDAY.date(), FRIDAY.date())),
        ("scheduled", None),
        ("manual", None),
    ):
        context: Any = {"dag_run": SimpleNamespace(run_type=run_type, logical_date=FRIDAY)}
        with set_current_context(context):
            assert window_of_backfill() == window


def test_keys_come_from_the_airflow_secrets_backend_where_the_environment_has_none(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("TOUCHLINE_SOURCE", "live")
    for source in ("football_data_org", "the_odds_api", "api_football"):
        monkeypatch.setenv(f"AIRFLOW_VAR_TOUCHLINE_{source.upper()}_KEY", f"backend-{source}")
        # Registered, so that what the call sets is taken back.
        monkeypatch.setenv(f"TOUCHLINE_{source.upper()}_KEY", "own")
    monkeypatch.delenv("TOUCHLINE_THE_ODDS_API_KEY")
    take_keys_from_airflow()
    keys = {name: Settings().source_key(name) for name in ("the_odds_api", "api_football")}
    assert {name: key.get_secret_value() for name, key in keys.items() if key} == {
        "the_odds_api": "backend-the_odds_api",
        "api_football": "own",
    }
    assert "backend" not in repr(keys)
    assert sources_giving(Settings(), "odds") == ["football_data_uk", "the_odds_api", "api_football"]
