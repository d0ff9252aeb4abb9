"""The metrics exporter on all real matches with a million predictions: how long a scrape takes, and what it costs.

The warehouse is built from all season files; predictions, their outcomes, runs of the pipeline and of Airflow are
planted with SQL. Then Prometheus' part is played for as long as the longest time that a query is kept, with a scrape
every 15 seconds: processor time is that of the exporter and of its two sessions of PostgreSQL. `EXPORTER_SECONDS` sets
for how long, `EXPORTER_PREDICTIONS` how many predictions a match has.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import numpy as np
import psutil
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from benchmarks.api import AS_OF
from benchmarks.own_server import own_server
from benchmarks.real_seasons import archive, unpacked
from touchline.clock import virtual_clock
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.features.catalogue import FEATURES
from touchline.landing.collect import collect
from touchline.operations import services
from touchline.ratings.update import update_ratings
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.build import build_layer

SECONDS: Final = int(os.environ.get("EXPORTER_SECONDS", "315"))
PREDICTIONS_A_MATCH: Final = int(os.environ.get("EXPORTER_PREDICTIONS", "5"))
INTERVAL: Final = 15.0
PORT: Final = 8766

# The guards of the ledger ask for each row by itself; nothing is proven here.
PREDICT: Final = """
insert into ledger.prediction (prediction_id, match_id, competition, season, home_team, away_team, kickoff_at,
    model_name, model_version, forecast, role, predicted_at, features_as_of, clock, p_home, p_draw, p_away,
    expected_home_goals, expected_away_goals, scoreline_grid, features, feature_hash, feature_store, is_simulated,
    run_id)
select uuidv7(), match_id, competition, season, home_team, away_team, kickoff_at, 'touchline_match_result', '1',
    'with_odds', %(role)s, at, at, 'virtual', p_home, 0.27, 0.73 - p_home, 1.65, 1.1, %(grid)s::real[],
    %(features)s::jsonb, repeat('0123456789abcdef', 4), 'online', false, %(run_id)s
from core.match
cross join lateral (
    select 0.1 + 0.55 * random() as p_home, least(kickoff_at, %(as_of)s) - %(before)s::interval as at
) as forecast
where kickoff_at < %(as_of)s::timestamptz + interval '7 days'
"""
SETTLE: Final = """
insert into ledger.prediction_outcome (prediction_id, revision, home_goals, away_goals, outcome, rps, log_loss, brier,
    is_correct, p_closing_home, p_closing_draw, p_closing_away, closing_line_value, settled_at, run_id)
select prediction_id, 1, home_goals, away_goals,
    case sign(home_goals - away_goals) when 1 then 'home' when 0 then 'draw' else 'away' end, 0.2, 1, 0.6, true, 0.45,
    0.27, 0.28, 0.01, kickoff_at + interval '3 hours', 'benchmark'
from ledger.prediction inner join core.match_result using (match_id)
where kickoff_at < %(as_of)s::timestamptz - interval '3 hours'
"""
# A year of the pipeline: eight collections a day of three kinds from two sources, and a build with what follows it.
RUNS: Final = """
insert into ops.pipeline_run (run_id, step, as_of, started_at, finished_at, status, detail)
select step || at, step, at, clock_timestamp() - (%(as_of)s - at), clock_timestamp() - (%(as_of)s - at), 'success',
    '{"requests": 4, "new_payloads": 1, "seen_again": 3, "not_offered": 0, "inputs": {"champion": "1"}}'
from generate_series(%(as_of)s::timestamptz - interval '365 days', %(as_of)s, interval '3 hours') as at
cross join unnest(array[
    'collect_fixtures/one', 'collect_odds/one', 'collect_scores/one', 'collect_fixtures/other', 'collect_odds/other',
    'collect_scores/other', 'check_landing', 'build_core', 'update_ratings', 'build_features', 'check_features',
    'build_analytics', 'publish_features', 'train', 'predict', 'settle', 'measure_drift', 'refresh_analytics'
]) as step
"""
# A month of Airflow: what it keeps.
TASKS: Final = """
with dags as (
    insert into dag (dag_id, bundle_name, is_paused, is_stale, timetable_type, partition_mapper_info, max_active_tasks,
        max_consecutive_failed_dag_runs, has_task_concurrency_limits)
    select 'dag_' || n, 'dags', false, false, 'x', '{}', 1, 0, false from generate_series(1, 11) as n returning dag_id
),
runs as (
    insert into dag_run (dag_id, run_id, run_type, run_after)
    select dag_id, 'run_' || n, 'manual', now() - n * interval '1 hour' from dags, generate_series(1, 720) as n
    returning dag_id, run_id, run_after
)
insert into task_instance (id, task_id, dag_id, run_id, state, try_number, pool, pool_slots, end_date, duration)
select gen_random_uuid(), 'task_' || n, dag_id, run_id, 'success', 1, 'default_pool', 1, run_after, 10
from runs, generate_series(1, 8) as n
"""


def main() -> None:
    """Measure and print."""
    if not archive().exists():
        Console().print(f"exporter: skipped, there is no real data at {archive()}")
        return
    with own_server() as settings:
        n_matches, n_predictions = world(settings)
        with serving(settings) as exporter:
            first, later, share, slowest = measure(settings, exporter)
    table = Table(title=f"The exporter: {n_matches:,} matches, {n_predictions:,} predictions, {SECONDS} s")
    table.add_column("what")
    table.add_column("", justify="right")
    table.add_row("first scrape", f"{first:.2f} s")
    table.add_row("later scrapes: median, longest", f"{statistics.median(later):.3f} s, {max(later):.2f} s")
    table.add_row(
        "of a core: exporter, PostgreSQL, together", f"{share[0]:.2%}, {share[1]:.2%}, {sum(share):.2%}"
    )
    for name, seconds in slowest:
        table.add_row(f"query {name}", f"{seconds:.3f} s")
    Console().print(table)


def world(settings: Settings) -> tuple[int, int]:
    """Build all seasons, predict and settle; numbers of matches and of predictions."""
    with unpacked() as folder:
        sourced = settings.model_copy(update={"source": str(folder)})
        collect(sourced, virtual_clock(AS_OF), "benchmark")
    for layer in ("core", "ratings", "features", "analytics"):
        if layer == "ratings":
            update_ratings(settings, AS_OF, "benchmark")
        else:
            build_layer(settings, layer, AS_OF, "benchmark")
    chance = np.random.default_rng(1)
    with connect(settings, "owner") as owner:
        for table in ("prediction", "prediction_outcome"):
            owner.execute(f"alter table ledger.{table} disable trigger user")
        for number in range(PREDICTIONS_A_MATCH):
            owner.execute(PREDICT, {
                "as_of": AS_OF, "role": "champion" if number else "baseline", "run_id": f"benchmark-{number}",
                "before": f"{1 + 6 * number} hours", "grid": chance.dirichlet(np.ones(121)).reshape(11, 11).tolist(),
                "features": json.dumps(dict(zip(FEATURES, chance.normal(size=len(FEATURES)), strict=True))),
            })  # fmt: skip
        # They are written as time goes on: those of a day lie together.
        owner.execute("cluster ledger.prediction using prediction_by_kickoff")
        owner.execute(SETTLE, {"as_of": AS_OF})
        for table in ("prediction", "prediction_outcome"):
            owner.execute(f"alter table ledger.{table} enable trigger user")
    with connect(settings, "ingest") as connection:
        connection.execute(RUNS, {"as_of": AS_OF})
    services.migrate_airflow(settings)
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as airflow:
        airflow.execute("insert into dag_bundle (name) values ('dags')")
        airflow.execute(TASKS)
    for database in (settings.warehouse_database, "airflow"):
        with open_url(settings.admin_url.rpartition("/")[0] + f"/{database}", autocommit=True) as admin:
            admin.execute("vacuum analyze")
    with connect(settings, "api") as connection:
        return scalar(connection, "select count(*) from core.match"), scalar(
            connection, "select count(*) from ledger.prediction"
        )


@contextmanager
def serving(settings: Settings) -> Iterator[psutil.Process]:
    """The exporter as `touchline metrics serve` starts it."""
    served = settings.model_copy(update={"as_of": AS_OF, "source": "football-data-uk"})
    variables = {**os.environ, **served.environment(), **served.passwords("metrics")}
    variables["PYTHONPATH"] = str(PROJECT_ROOT / "include")
    command = [sys.executable, "-m", "touchline.exporter", "--port", str(PORT)]
    with subprocess.Popen(command, env=variables) as server:
        try:
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{PORT}/live")
                    break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield psutil.Process(server.pid)
        finally:
            server.terminate()


def measure(
    settings: Settings, exporter: psutil.Process
) -> tuple[float, list[float], tuple[float, float], list[tuple[str, float]]]:
    """Seconds of the first scrape and of each later one, shares of a core since the first, and the slowest queries."""
    first, told = _scrape()
    with open_url(settings.admin_url, autocommit=True) as admin:
        sessions = [
            psutil.Process(row["pid"])
            for row in rows(
                admin, "select pid from pg_stat_activity where application_name = 'touchline-exporter'"
            )
        ]
    began, later = time.monotonic(), []
    before = _used([exporter, *exporter.children()]), _used(sessions)
    while (passed := time.monotonic() - began) < SECONDS:
        time.sleep(INTERVAL - passed % INTERVAL)
        seconds, told = _scrape()
        later.append(seconds)
    after = _used([exporter, *exporter.children()]), _used(sessions)
    passed = time.monotonic() - began
    durations = [
        (sample.labels["query"], sample.value)
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == "touchline_query_duration_seconds"
    ]
    slowest = sorted(durations, key=lambda each: -each[1])[:5]
    return first, later, ((after[0] - before[0]) / passed, (after[1] - before[1]) / passed), slowest


def _scrape() -> tuple[float, str]:
    started = time.monotonic()
    reply = httpx.get(f"http://127.0.0.1:{PORT}/metrics", timeout=30)
    failed = [
        line
        for line in reply.text.splitlines()
        if line.startswith("touchline_query_success") and line[-3:] != "1.0"
    ]
    assert not failed, failed
    return time.monotonic() - started, reply.text


def _used(processes: list[psutil.Process]) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in processes)


if __name__ == "__main__":
    main()
