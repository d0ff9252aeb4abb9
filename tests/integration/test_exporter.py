"""What the exporter tells of a world that has data for every metric, and what it tells while something is broken."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from benchmarks.own_server import Unsupervised, own_server
from benchmarks.simulated_forecasts import Champion, simulated_year
from typer.testing import CliRunner

from api_process import free_port
from databases import copy_of
from own_postgres import own_postgres
from predictions import insert_prediction, insert_settled, unchecked
from scraping import Series, exporter_of, parsed, scraped, series
from served_world import NOW, World
from touchline import cli
from touchline.database import embedded
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.exporter.catalogue import Catalogue, Query, read_catalogue
from touchline.exporter.exporter import Exporter
from touchline.forecasting.metrics import score
from touchline.monitoring.settled import Settled
from touchline.operations import services
from touchline.operations.names import LANDING_ODDS, PROMISED
from touchline.quality.holds import Breach, keep_holds
from touchline.settings import Settings

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
HOSTILE = (
    "'; drop table ledger.prediction; --", 'a "quoted" back\\slash', "two\nlines\\n",
    "zero\u200bwidth\u202e", "%s %(x)s {}", "long " * 100,
)  # fmt: skip
# They have tests of their own.
OF_OTHER_SERVERS = {"touchline_replication_lag_bytes", "touchline_mlflow_response_seconds"}


def record(settings: Settings, step: str, ago: timedelta, status: str = "success", **detail: Any) -> None:
    """A run of a step, as of so long before NOW, that took two minutes and has just ended."""
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, started_at, finished_at, detail) "
            "values (%s, %s, %s, %s, clock_timestamp() - interval '2 minutes', clock_timestamp(), %s)",
            (f"{step} {ago} {status}", step, NOW - ago, status, json.dumps(detail)),
        )


def plant(settings: Settings) -> None:
    """What the served world lacks: steps, sources, gates, drift, what could not be used, notices."""
    record(settings, "collect_fixtures+odds/football_data_uk", 2 * HOUR, requests=1, new_payloads=1, seen_again=0,
           not_offered=0)  # fmt: skip
    record(settings, "predict", HOUR, inputs={"champion": "1"})
    record(settings, "settle", 3 * HOUR)
    record(settings, "settle", HOUR, status="failed")
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into ops.source_state (source, circuit, last_success_as_of, remaining_credits) "
            "values ('the_odds_api', 'open', %s, 412)", (NOW - HOUR,),
        )  # fmt: skip
        connection.execute(
            "insert into ops.source_usage values ('the_odds_api', %s, 30, 90, 8)", (NOW.date(),)
        )
        (payload,) = rows(connection, "select payload_id from landing.payload order by payload_id limit 1")
        connection.execute(
            "insert into landing.rejected_row (payload_id, row_number, scope, rule, field, value, reason, observed_at, "
            "run_id) values (%s, 1, 'row', 'date_format', 'Date', 'soon', 'no date', %s, 'test')",
            (payload["payload_id"], NOW - HOUR),
        )
        connection.execute(
            "insert into ops.notice (cause, dag_id, task_id, run_id, error, sample, what_to_do, link) "
            "values ('a', 'b', 'c', 'd', 'e', '{}', 'f', 'g')"
        )
    with connect(settings, "transform") as connection:
        connection.execute(
            "insert into landing.quarantined_fact (kind, fixture_key, payload_id, rule, reason, observed_at, run_id) "
            "values ('score', gen_random_uuid(), %s, 'score_impossible', '21-0', %s, 'test')",
            (payload["payload_id"], NOW),
        )
        for suite, severity, success in (
            ("gate", "block", True), ("core", "block", True), ("core", "warn", False), ("core", "warn", False),
        ):  # fmt: skip
            connection.execute(
                "insert into ops.quality_result (run_id, gate, suite, expectation, severity, success, as_of) "
                "values ('run', 'core', %s, gen_random_uuid()::text, %s, %s, %s)",
                (suite, severity, success, NOW - HOUR),
            )
        breach = Breach("E1", ("core", "suite", "expectation", ""), frozenset({"a row"}), "why")
        keep_holds(connection, "core", [breach], None, NOW - HOUR, "gate")
        for metric, subject, value, threshold, is_drift, ago in (
            ("confident_picks", "promised", 5.0, 10.0, False, HOUR),
            ("confident_picks", "floor", 20.0, 10.0, True, HOUR),
            ("confident_picks", "floor", 1.0, 10.0, False, 24 * HOUR),
            ("feature_drift", "home_elo", 0.3, 0.25, True, 48 * HOUR),
            ("feature_drift", "away_elo", 0.5, 0.25, True, 48 * HOUR),
            ("feature_drift", "home_rest", 0.1, 0.25, False, 48 * HOUR),
            ("calibration", "of tomorrow", 99.0, 10.0, True, -24 * HOUR),
        ):
            connection.execute(
                "insert into ops.drift_metric (run_id, metric, subject, value, threshold, is_drift, as_of) "
                "values ('drift', %s, %s, %s, %s, %s, %s)",
                (metric, subject, value, threshold, is_drift, NOW - ago),
            )


def plant_in_airflow(settings: Settings, name: str = "build_warehouse", task: str = "build_core") -> None:
    """A part that beats, a DAG with a task that succeeded and one that runs, and news that waits for it."""
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
        named = {"dag": name, "task": task}
        connection.execute("insert into dag_bundle (name) values ('dags') on conflict do nothing")
        for part, minute in (("Scheduler", 0), ("Scheduler", 1), ("Triggerer", 0), ("DagProcessor", 0)):
            connection.execute(
                "insert into job (state, job_type, latest_heartbeat) values ('running', %s, %s)",
                (f"{part}Job", NOW + minute * timedelta(minutes=1)),
            )
        connection.execute(
            "insert into dag (dag_id, bundle_name, is_paused, is_stale, timetable_type, partition_mapper_info, "
            "max_active_tasks, max_consecutive_failed_dag_runs, has_task_concurrency_limits) "
            "values (%(dag)s, 'dags', false, false, 'x', '{}', 1, 0, false)", named,
        )  # fmt: skip
        connection.execute(
            "insert into dag_run (dag_id, run_id, run_type, run_after) values (%(dag)s, 'run', 'manual', now())",
            named,
        )
        for number, (state, ended) in enumerate(
            (("success", "1 hour"), ("failed", "2 days"), ("running", None))
        ):
            connection.execute(
                "insert into task_instance (id, task_id, dag_id, run_id, state, try_number, pool, pool_slots, "
                "end_date, duration) values (gen_random_uuid(), %(task)s, %(dag)s, 'run', %(state)s, 1, "
                "'default_pool', 1, now() - %(ended)s::interval, 75)",
                {**named, "task": f"{task}{number or ''}", "state": state, "ended": ended},
            )
        connection.execute(
            "with made as (insert into asset (name, uri, \"group\", extra, created_at, updated_at) "
            "values (%(dag)s, %(dag)s, 'asset', '{}', now(), now()) returning id) "
            "insert into asset_dag_run_queue select id, %(dag)s, %(at)s from made", {**named, "at": NOW},
        )  # fmt: skip


@pytest.fixture(scope="module")
def watched(module_world: World) -> World:
    services.migrate_airflow(module_world.settings)
    plant(module_world.settings)
    plant_in_airflow(module_world.settings)
    return module_world


@pytest.fixture(scope="module")
def scored(module_settings: Settings) -> tuple[Settings, Settled, datetime]:
    """A champion's settled predictions of 400 matches on 40 days, and the day after the last; home wins have a closing
    line value of 0.02."""
    settled, _ = simulated_year(Champion(), 1, 40, 10)
    with unchecked(module_settings) as connection:
        insert_settled(connection, settled, module_settings.model_name)
        connection.execute("set local touchline.bypass_reason = 'test'")
        connection.execute(
            "update ledger.prediction_outcome set closing_line_value = 0.02 where outcome = 'home'"
        )
    last = settled.kickoff_on[-1].astype(object)
    return module_settings, settled, datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)


def test_skill_is_that_of_the_definitions_on_the_matches_of_the_window(
    scored: tuple[Settings, Settled, datetime],
):
    settings, settled, now = scored
    found = scraped(settings, now)
    for window, days in (("28d", 28), ("365d", 365)):
        chosen = settled.where(settled.kickoff_on >= np.datetime64(now.date()) - days)
        expected = score(chosen.probabilities, chosen.outcomes)
        picked = chosen.probabilities.max(axis=1) >= settings.confident.pick
        right = chosen.probabilities.argmax(axis=1) == chosen.outcomes
        behind = expected.log_loss - score(chosen.closing, chosen.outcomes).log_loss
        for name, value in (
            ("forecast_matches", expected.n), ("forecast_log_loss", expected.log_loss),
            ("forecast_rps", expected.rps), ("forecast_accuracy", expected.accuracy),
            ("forecast_calibration_slope", expected.slope), ("forecast_matches_with_closing", expected.n),
            ("forecast_log_loss_behind_closing", behind), ("confident_picks", picked.sum()),
            ("confident_picks_accuracy", right[picked].mean()), ("closing_line_value", 0.02),
            ("closing_line_picks", (chosen.outcomes == 0).sum()),
        ):  # fmt: skip
            assert found[series(name, window=window)] == pytest.approx(value), name
    assert (
        0 < found[series("forecast_matches", window="28d")] < found[series("forecast_matches", window="365d")]
    )


@pytest.fixture
def own_world(served_world: World) -> Iterator[World]:
    with copy_of(served_world.settings) as settings:
        yield replace(served_world, settings=settings)


@pytest.fixture(scope="module")
def told(watched: World) -> dict[Series, float]:
    return dict(scraped(watched.settings, NOW))


def failed_queries(found: Mapping[Series, float]) -> set[str]:
    return {
        dict(labels)["query"]
        for (name, labels), value in found.items()
        if name == "touchline_query_success" and not value
    }


def test_every_metric_of_the_list_has_a_series(
    told: dict[Series, float], scored: tuple[Settings, Settled, datetime]
):
    settings, _, now = scored
    names = {name for found in (told, scraped(settings, now)) for name, _ in found}
    assert {metric.name for _, metric in read_catalogue().metrics()} - names == OF_OTHER_SERVERS
    assert failed_queries(told) == set()


def test_mlflow_is_asked_whether_it_answers(watched: World):
    class Mlflow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Mlflow) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        found = scraped(watched.settings.model_copy(update={"mlflow_tracking_uri": address}), NOW)
        server.shutdown()
    assert found[series("mlflow_up")] == 1
    assert 0 < found[series("mlflow_response_seconds")] < 2


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (series("run_clock_timestamp_seconds"), NOW.timestamp()),
        (series("database_up"), 1),
        (series("predictions_upcoming", competition="E0"), 2),
        (series("predictions_published", role="champion"), 2),
        (series("predictions_published", role="challenger"), 0),
        (series("last_predicted_timestamp_seconds"), NOW.timestamp()),
        (series("next_kickoff_timestamp_seconds"), datetime(2022, 11, 2, 15, tzinfo=UTC).timestamp()),
        (series("fixtures_unpredicted", reason="waiting"), 1),
        (series("fixtures_due_unpredicted", competition="E0"), 0),
        (series("predictions_late"), 0),
        (series("shortfalls", kind="unpredicted"), 1),
        (series("shortfalls", kind="stale"), 0),
        (series("held_competitions"), 1),
        (series("forecast_matches", window="28d"), 1),
        (series("champion_info", model="touchline_match_result", version="1", forecast="with_odds"), 1),
        (series("champion_trained_timestamp_seconds"), datetime(2022, 10, 10, 3, tzinfo=UTC).timestamp()),
        (series("drift_alarms", metric="confident_picks", subject="floor"), 1),
        (series("drift_alarms", metric="confident_picks", subject="promised"), 0),
        (series("drift_alarms", metric="feature_drift", subject=""), 2),
        (series("drift_evidence_ratio", metric="feature_drift", subject=""), 2),
        (series("drift_evidence_ratio", metric="confident_picks", subject="promised"), 0.5),
        (series("drift_measured_timestamp_seconds"), (NOW - HOUR).timestamp()),
        (series("landed_rows_total", source="football_data_uk", kind="scores"), 15),
        (series("rejected_rows", source="football_data_uk", reason="date_format"), 1),
        (series("quarantined_facts", rule="score_impossible"), 1),
        (series("quality_failures", gate="core", severity="warn"), 2),
        (series("quality_failures", gate="core", severity="block"), 0),
        (series("quality_checked_timestamp_seconds", gate="core"), (NOW - HOUR).timestamp()),
        (series("asset_timestamp_seconds", asset=LANDING_ODDS), (NOW - 2 * HOUR).timestamp()),
        (series("asset_promised_seconds", asset=LANDING_ODDS), PROMISED[LANDING_ODDS].total_seconds()),
        (series("asset_timestamp_seconds", asset="predictions/settled"), (NOW - 3 * HOUR).timestamp()),
        (series("collected_timestamp_seconds", kind="odds"), (NOW - 2 * HOUR).timestamp()),
        (series("source_circuit_open", source="the_odds_api"), 1),
        (series("source_remaining_credits", source="the_odds_api"), 412),
        (series("source_last_success_timestamp_seconds", source="the_odds_api"), (NOW - HOUR).timestamp()),
        (series("source_calls_total", source="the_odds_api"), 30),
        (series("source_failed_calls_total", source="the_odds_api"), 8),
        (series("last_step_timestamp_seconds", step="settle"), (NOW - 3 * HOUR).timestamp()),
        (series("step_failures", step="settle"), 1),
        (series("step_failures", step="predict"), 0),
        (series("open_notices"), 1),
        (series("database_waiting_locks"), 0),
        (series("database_max_connections"), 200),
        (series("replicas"), 0),
        (series("airflow_heartbeat_timestamp_seconds", component="scheduler"), (NOW + HOUR / 60).timestamp()),
        (series("airflow_tasks", state="running"), 1),
        (series("airflow_tasks", state="queued"), 0),
        (series("airflow_finished_tasks", dag="build_warehouse", state="success"), 1),
        (series("airflow_task_duration_seconds", dag="build_warehouse", task="build_core"), 75),
        (series("airflow_pool_slots", pool="default_pool"), 128),
        (series("airflow_pool_used_slots", pool="default_pool"), 1),
        (series("airflow_pool_queued", pool="default_pool"), 0),
        (series("airflow_waiting_asset_events", dag="build_warehouse"), 1),
        (series("airflow_oldest_waiting_asset_event_timestamp_seconds", dag="build_warehouse"), NOW.timestamp()),
        (series("mlflow_up"), 0),
    ],
    ids=lambda each: " ".join([each[0], *(value for _, value in each[1])]) if isinstance(each, tuple) else "",
)  # fmt: skip
def test_a_metric_says_what_there_is(told: dict[Series, float], of: Series, value: float):
    assert told[of] == pytest.approx(value)


def test_what_the_world_has_not_is_not_told(told: dict[Series, float]):
    assert series("drift_alarms", metric="calibration", subject="") not in told, "it is of tomorrow"
    assert series("asset_timestamp_seconds", asset="models/tuned") not in told
    assert series("airflow_finished_tasks", dag="build_warehouse", state="failed") not in told, "two days ago"
    assert told[series("step_duration_seconds", step="settle")] == pytest.approx(120, abs=5)


def test_a_fixture_within_the_hour_without_a_prediction_is_due_until_it_has_one(own_world: World):
    settings, hour_before = own_world.settings, datetime(2022, 11, 5, 14, 1, tzinfo=UTC)
    due = series("fixtures_due_unpredicted", competition="E0")
    assert scraped(settings, hour_before - HOUR)[due] == 0
    assert scraped(settings, hour_before)[due] == 1
    with connect(settings, "model") as connection:
        (match,) = rows(
            connection,
            "select match_id, kickoff_at from core.match where home_team = 'Burnley' and away_team = 'Everton' "
            "and status = 'scheduled'",
        )
        insert_prediction(
            connection, **match, home_team="Burnley", away_team="Everton",
            predicted_at=hour_before, features_as_of=NOW,
        )  # fmt: skip
    assert scraped(settings, hour_before)[due] == 0
    assert scraped(settings, hour_before)[series("predictions_late")] == 0, "it is not played yet"
    assert scraped(settings, hour_before + 2 * HOUR)[series("predictions_late")] == 1


def with_query(name: str, **changes: Any) -> Catalogue:
    """The list in which one query is another one."""
    catalogue = read_catalogue()
    return catalogue.model_copy(
        update={"queries": {**catalogue.queries, name: catalogue.queries[name].model_copy(update=changes)}}
    )


def of_query(query: Query, **changes: Any) -> dict[str, Any]:
    return {"metrics": tuple(metric.model_copy(update=changes) for metric in query.metrics)}


@pytest.mark.parametrize(
    "changes",
    [
        {"reads": "airflow"},
        {"parameters": ()},
        {"parameters": ("wall", "wall")},
        of_query(read_catalogue().queries["upcoming"], column="nonsense"),
        of_query(read_catalogue().queries["upcoming"], column="competition"),
    ],
    ids=["no table", "no parameter", "a parameter too many", "no column", "no number"],
)
def test_a_query_that_fails_hides_no_other(watched: World, changes: dict[str, Any]):
    found = scraped(watched.settings, NOW, with_query("upcoming", **changes))
    assert failed_queries(found) == {"upcoming"}
    assert series("query_duration_seconds", query="upcoming") in found
    names = {name for name, _ in found}
    assert not names & {"touchline_predictions_upcoming", "touchline_next_kickoff_timestamp_seconds"}
    assert "touchline_predictions_published" in names


def drive(exporter: Exporter, work: Callable[[Exporter], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        try:
            return await work(exporter)
        finally:
            await exporter.close()

    return asyncio.run(run())


def test_a_query_that_takes_too_long_is_given_up_and_its_old_series_are_gone(own_world: World):
    settings = own_world.settings
    with_patience = with_query("notices", timeout_seconds=0.3, every_seconds=0)

    async def work(exporter: Exporter) -> tuple[bytes, ...]:
        before = await exporter.scrape()
        with connect(settings, "owner") as owner:
            owner.execute("lock table ops.notice in access exclusive mode")
            during = await exporter.scrape()
        return before, during

    before, during = (
        parsed(each.decode()) for each in drive(exporter_of(settings, NOW, with_patience), work)
    )
    succeeded, open_notices = series("query_success", query="notices"), series("open_notices")
    assert (before[succeeded], before[open_notices]) == (1, 0)
    assert (during[succeeded], open_notices in during) == (0, False)
    assert during[series("query_duration_seconds", query="notices")] > 0
    assert during[series("query_success", query="steps")] == 1


def test_before_the_first_build_the_rest_is_told(settings: Settings):
    found = scraped(settings, NOW)
    failed = {
        dict(labels)["query"]
        for (name, labels), value in found.items()
        if name == "touchline_query_success" and not value
    }
    assert {"upcoming", "due", "shortfalls"} == {name for name in failed if not name.startswith("airflow")}
    assert found[series("database_up")] == 1
    assert found[series("run_clock_timestamp_seconds")] == NOW.timestamp()


def test_while_no_clock_answers_the_present_is_that_of_the_last_run(watched: World, settings: Settings):
    found = scraped(watched.settings, None)
    assert found[series("run_clock_timestamp_seconds")] == (NOW - HOUR).timestamp()
    nothing = scraped(settings, None)
    assert series("run_clock_timestamp_seconds") not in nothing
    assert nothing[series("query_success", query="steps")] == 0
    assert nothing[series("query_success", query="activity")] == 1


def test_beyond_its_bound_a_query_drops_series_and_says_how_many(watched: World):
    found = scraped(watched.settings, NOW, with_query("tables", most_series=3))
    largest = sorted(value for (name, _), value in found.items() if name == "touchline_table_size_bytes")
    everything = scraped(watched.settings, NOW)
    sizes = sorted(value for (name, _), value in everything.items() if name == "touchline_table_size_bytes")
    assert largest == sizes[-len(largest) :]
    n_told = sum(name.startswith("touchline_table_") for name, _ in found)
    n_in_all = sum(name.startswith("touchline_table_") for name, _ in everything)
    assert n_told == 3
    assert found[series("query_series_dropped", query="tables")] == n_in_all - n_told
    assert everything[series("query_series_dropped", query="tables")] == 0


def test_what_the_last_measurement_had_too_few_matches_to_judge_is_no_alarm_any_more(settings: Settings):
    with connect(settings, "model") as connection:
        for metric, subject in (("confident_picks", "floor"), ("feature_drift", "home_elo")):
            connection.execute(
                "insert into ops.drift_metric (run_id, metric, subject, value, threshold, is_drift, as_of) "
                "values ('drift', %s, %s, 4, 3, true, %s)", (metric, subject, NOW - 24 * HOUR),
            )  # fmt: skip
    picks = series("drift_alarms", metric="confident_picks", subject="floor")
    features = series("drift_alarms", metric="feature_drift", subject="")
    record(settings, "measure_drift", 24 * HOUR)
    found = scraped(settings, NOW)
    assert (found[picks], found[features]) == (1, 1)
    record(settings, "measure_drift", HOUR)
    found = scraped(settings, NOW)
    assert picks not in found
    assert found[features] == 1


def test_hostile_text_comes_out_as_text(own_world: World):
    settings = own_world.settings
    services.migrate_airflow(settings)
    with connect(settings, "ingest") as connection:
        (payload,) = rows(connection, "select payload_id from landing.payload order by payload_id limit 1")
    for text in HOSTILE:
        record(settings, text, HOUR)
        with connect(settings, "ingest") as connection:
            connection.execute("insert into ops.source_state (source) values (%s)", (text,))
        with connect(settings, "ingest") as connection:
            connection.execute(
                "insert into landing.rejected_row (payload_id, row_number, scope, rule, field, value, reason, "
                "observed_at, run_id) values (%s, 1, 'row', %s, 'Date', %s, 'no date', %s, 'test')",
                (payload["payload_id"], text, text, NOW - HOUR),
            )
        with connect(settings, "transform") as connection:
            connection.execute(
                "insert into landing.quarantined_fact (kind, fixture_key, payload_id, rule, reason, observed_at, "
                "run_id) values ('score', gen_random_uuid(), %s, %s, '21-0', %s, 'test')",
                (payload["payload_id"], text, NOW),
            )
            connection.execute(
                "insert into ops.quality_result (run_id, gate, suite, expectation, success, as_of) "
                "values ('run', %s, 'gate', 'x', true, %s)", (text, NOW - HOUR),
            )  # fmt: skip
            connection.execute(
                "insert into ops.drift_metric (run_id, metric, subject, value, threshold, as_of) "
                "values ('drift', %s, 'x', 1, 2, %s), ('drift', 'confident_picks', %s, 1, 2, %s)",
                (text, NOW - HOUR, text, NOW - HOUR),
            )
        plant_in_airflow(settings, text[:200], text[:200])
    with unchecked(settings) as connection:
        insert_prediction(
            connection, match_id=own_world.priced, kickoff_at=NOW + HOUR, predicted_at=NOW, features_as_of=NOW,
            model_name=HOSTILE[0], model_version=HOSTILE[1], forecast=HOSTILE[2],
        )  # fmt: skip
        connection.execute(
            "update core.match set competition = %s where match_id = %s", (HOSTILE[0], own_world.priced)
        )
    found = scraped(settings, NOW)
    with connect(settings, "owner") as connection:
        assert scalar(connection, "select count(*) from ledger.prediction") > 0
    for text in HOSTILE:
        shown = text if len(text) <= 120 else text[:119] + "…"
        for name, labels in (
            ("last_step_timestamp_seconds", {"step": shown}), ("source_circuit_open", {"source": shown}),
            ("rejected_rows", {"source": "football_data_uk", "reason": shown}), ("quarantined_facts", {"rule": shown}),
            ("quality_failures", {"gate": shown, "severity": "warn"}),
            ("drift_alarms", {"metric": shown, "subject": ""}),
            ("drift_alarms", {"metric": "confident_picks", "subject": shown}),
            ("airflow_finished_tasks", {"dag": shown, "state": "success"}),
            ("airflow_task_duration_seconds", {"dag": shown, "task": shown}),
            ("airflow_waiting_asset_events", {"dag": shown}),
        ):  # fmt: skip
            assert series(name, **labels) in found, (name, text)
    assert series("champion_info", model=HOSTILE[0], version=HOSTILE[1], forecast=HOSTILE[2]) in found
    assert found[series("predictions_upcoming", competition=HOSTILE[0])] == 1


def test_scrapes_at_the_same_time_share_one_reading(watched: World):
    async def work(exporter: Exporter) -> list[bytes]:
        first = await asyncio.gather(*(exporter.scrape() for _ in range(20)))
        return [*first, await exporter.scrape()]

    *together, later = drive(exporter_of(watched.settings, NOW), work)
    assert len({id(each) for each in together}) == 1
    assert later is not together[0]


def test_what_a_query_gave_is_kept_for_its_time(watched: World):
    catalogue = with_query("sizes", every_seconds=0)

    async def work(exporter: Exporter) -> list[dict[Series, float]]:
        return [parsed((await exporter.scrape()).decode()) for _ in range(2)]

    first, second = drive(exporter_of(watched.settings, NOW, catalogue), work)
    read_at = {
        name: series("query_timestamp_seconds", query=name) for name in ("sizes", "skill", "databases")
    }
    assert first[read_at["sizes"]] < second[read_at["sizes"]]
    assert first[read_at["skill"]] == second[read_at["skill"]]
    of_skill = [
        {key: value for key, value in each.items() if "forecast" in key[0]} for each in (first, second)
    ]
    assert of_skill[0] == of_skill[1] != {}


def test_a_connection_that_was_ended_is_replaced_unnoticed_and_otherwise_kept(watched: World):
    catalogue = with_query("steps", every_seconds=0)
    ours = "select {} from pg_stat_activity where application_name = 'touchline-exporter'"

    async def work(exporter: Exporter) -> tuple[Any, ...]:
        with open_url(watched.settings.admin_url, autocommit=True) as admin:
            await exporter.scrape()
            before = {row[0] for row in admin.execute(ours.format("pid")).fetchall()}
            await exporter.scrape()
            kept = {row[0] for row in admin.execute(ours.format("pid")).fetchall()}
            ended = scalar(admin, ours.format("count(pg_terminate_backend(pid))"))
            return before, kept, ended, parsed((await exporter.scrape()).decode())

    before, kept, ended, after = drive(exporter_of(watched.settings, NOW, catalogue), work)
    assert len(before) == 2, "one a database"
    assert (kept, ended) == (before, 2)
    assert failed_queries(after) == set()


@pytest.fixture(scope="module")
def own(served_world: World) -> Iterator[Unsupervised]:
    with own_postgres(served_world.settings) as server:
        yield server


def test_while_the_database_is_away_that_is_told_and_over_without_a_restart(own: Unsupervised):
    async def work(exporter: Exporter) -> list[dict[Series, float]]:
        found = []
        for happens in (lambda: None, own.crash, own.start):
            await asyncio.to_thread(happens)
            found.append(parsed((await exporter.scrape()).decode()))
        return found

    catalogue = read_catalogue()
    always = {name: each.model_copy(update={"every_seconds": 0}) for name, each in catalogue.queries.items()}
    exporter = exporter_of(own.settings, NOW, catalogue.model_copy(update={"queries": always}))
    before, during, after = drive(exporter, work)
    succeeded = {
        name: [each[series("query_success", query=name)] for each in (before, during, after)]
        for name in ("upcoming", "skill", "activity", "mlflow")
    }
    assert [each[series("database_up")] for each in (before, during, after)] == [1, 0, 1]
    assert succeeded == {
        "upcoming": [1, 0, 1],
        "skill": [1, 0, 1],
        "activity": [1, 0, 1],
        "mlflow": [1, 1, 1],
    }
    assert {name for name, _ in during if "_query_" not in name} == {
        "touchline_database_up", "touchline_run_clock_timestamp_seconds", "touchline_mlflow_up",
    }  # fmt: skip


def test_a_frozen_database_is_one_that_is_away(own: Unsupervised):
    postmaster = psutil.Process(int((own.server.data / "postmaster.pid").read_text().split()[0]))

    async def work(exporter: Exporter) -> list[dict[Series, float]]:
        found = [await exporter.scrape()]
        frozen = [postmaster, *postmaster.children()]
        for process in frozen:
            process.suspend()
        try:
            found += [await exporter.scrape(), await exporter.scrape()]
        finally:
            for process in frozen:
                process.resume()
        return [parsed(each.decode()) for each in [*found, await exporter.scrape()]]

    found = drive(exporter_of(own.settings, NOW), work)
    assert [each[series("database_up")] for each in found] == [1, 0, 0, 1]


def test_without_any_database_from_the_start_a_scrape_is_answered(tmp_path: Path):
    settings = Settings(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/postgres")
    found = scraped(settings, NOW)
    assert found[series("database_up")] == 0
    assert found[series("query_success", query="upcoming")] == 0
    assert series("query_timestamp_seconds", query="upcoming") not in found, "it was never read"


def test_the_exporter_reads_of_airflow_what_it_needs_and_writes_nowhere(watched: World):
    async def work(exporter: Exporter) -> list[str]:
        refused = []
        for database, statement in (
            ("airflow", "select * from connection"), ("airflow", "select * from variable"),
            ("airflow", "delete from job"),
            ("touchline", "select body from landing.payload"), ("touchline", "delete from ledger.prediction"),
            ("touchline", "create temporary table mine (x int)"), ("touchline", "select * from ops.api_key"),
        ):  # fmt: skip
            try:
                await exporter._databases[database].rows(statement, (), 2)
            except Exception as error:
                refused.append(type(error).__name__)
        return refused

    assert drive(exporter_of(watched.settings, NOW), work) == [
        "InsufficientPrivilegeError", "InsufficientPrivilegeError", "ReadOnlySQLTransactionError",
        "InsufficientPrivilegeError", "ReadOnlySQLTransactionError", "ReadOnlySQLTransactionError",
        "InsufficientPrivilegeError",
    ]  # fmt: skip


def test_a_standby_is_told_with_how_far_it_is_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        embedded,
        "SERVER_SETTINGS",
        embedded.SERVER_SETTINGS | {"wal_level": "replica", "max_wal_senders": "4"},
    )
    with own_server() as settings:
        program = str(embedded.program_folder() / "pg_receivewal")
        options = ["--directory", str(tmp_path), "--dbname", settings.admin_url, "--status-interval=1"]
        with subprocess.Popen([program, *options]) as standby:
            lag = series("replication_lag_bytes", replica="pg_receivewal")
            try:
                while lag not in (found := scraped(settings, NOW)):
                    assert standby.poll() is None
            finally:
                standby.terminate()
    assert found[series("replicas")] == 1
    assert found[lag] >= 0


def test_the_command_serves_lists_and_asks(watched: World, monkeypatch: pytest.MonkeyPatch):
    port = free_port()
    settings = watched.settings.model_copy(update={"as_of": NOW})
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "touchline.cli", "metrics", "serve", "--port", str(port)]
    with subprocess.Popen(command) as server:
        try:
            live = f"http://127.0.0.1:{port}/live"
            while not answers(live):
                assert server.poll() is None
            reply = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
        finally:
            server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert parsed(reply.text)[series("predictions_upcoming", competition="E0")] == 2

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, [*arguments])

    listed = json.loads(run("--json", "metrics", "list").stdout)
    assert {each["metric"] for each in listed} == {metric.name for _, metric in read_catalogue().metrics()}
    assert {"competition": "E0", "n_predicted": 2, "next_kickoff": None} in json.loads(
        run("--json", "metrics", "query", "upcoming").stdout
    )
    assert "the_odds_api" in run("metrics", "query", "sources").stdout
    assert run("metrics", "query", "nonsense").exit_code == 2


def answers(address: str) -> bool:
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False
