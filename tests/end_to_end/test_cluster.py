"""The whole graph on two Celery workers that share no disk, with power cuts, without a broker, and with other code.

The tests follow one another in one cluster: a run costs minutes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cluster import REDIS, WORKERS, Cluster, clustered, joined
from installation import RUN_SECONDS
from moments import is_running, wait_until
from table_digests import lasting_counts, table_digests
from touchline.clock import live_clock
from touchline.database import bootstrap
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.operations import names
from touchline.operations.airflow_api import airflow_of
from touchline.operations.edge import run_clock
from touchline.operations.follow import Follower
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.sandbox.clock import advance_clock
from touchline.settings import PROJECT_ROOT, Settings
from touchline.sources.source import KINDS
from touchline.supervision.programs import free_port

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

PORTS = ("postgres", "airflow", "mlflow", "api", "sandbox")
OUTAGE_SECONDS = 20
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Nothing has run yet; both workers are on."""
    # Not pytest's tmp_path: PostgreSQL may run as another user, who cannot enter a folder of mode 700.
    folder = Path(tempfile.mkdtemp(prefix="touchline-cluster-"))
    folder.chmod(0o755)
    ports = {f"{name}_port": free_port() for name in PORTS}
    settings = Settings(home=folder / "control", history_seasons=4, evaluation_seasons=1, **ports)
    settings.home.mkdir(mode=0o755)
    with clustered(settings, folder) as made:
        made.start_all()
        yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def first(cluster: Cluster) -> dict[str, Any]:
    """The report of a first run: the worker that builds the core loses power in a write, that which trains at work."""
    settings = cluster.settings
    run = cluster.control.begin("--json", "run")
    wait_until(
        lambda: is_running(settings, "build_core") and is_writing(settings, "touchline_transform"), run
    )
    lost = cluster.machine_of("build_core")
    lost.cut_power()
    wait_until(lambda: not is_running(settings, "build_core"), run)
    lost.start()
    wait_until(lambda: is_running(settings, "train"), run)
    cluster.machine_of("train").cut_power()
    told, errors = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0, errors
    for name in WORKERS:
        cluster.machines[name].start()
    return dict(json.loads(told))


def test_a_run_on_two_workers_that_lose_power_at_work_ends_with_predictions(
    cluster: Cluster, first: dict[str, Any]
):
    assert first["n_upcoming"] > 0
    assert first["shortfalls"] == []
    with open_airflow(cluster.settings) as connection:
        tries = {
            row["task_id"]: row["try_number"]
            for row in rows(connection, "select task_id, try_number from task_instance")
        }
    assert tries["build_core"] > 1
    assert tries["train"] > 1


def test_nothing_is_lost_or_doubled(cluster: Cluster, first: dict[str, Any]):
    settings = cluster.settings
    undisturbed = settings.model_copy(update={"database_name": "touchline_sandbox_undisturbed"})
    bootstrap.prepare(undisturbed)
    as_of = datetime.fromisoformat(first["as_of"])
    for step in (*(f"collect_{kind}" for kind in KINDS), *names.BUILD, "train", "predict", "forecast_season"):
        run_step(undisturbed, STEPS[step], "undisturbed", as_of)
    assert table_digests(settings) == table_digests(undisturbed)
    assert lasting_counts(settings) == lasting_counts(undisturbed)


def test_each_queue_had_its_tasks(cluster: Cluster, first: dict[str, Any]):
    with open_airflow(cluster.settings) as connection:
        found = rows(connection, "select distinct queue, task_id from task_instance")
    queues: dict[str, set[str]] = {}
    for row in found:
        queues.setdefault(row["queue"], set()).add(row["task_id"])
    assert set(queues) == set(names.QUEUES)
    assert "collect.football_data_uk" in queues[names.COLLECT_QUEUE]
    assert "train" in queues[names.TRAIN_QUEUE]
    assert "predict" in queues[names.PREDICT_QUEUE]
    assert {"build_core", "check_features"} <= queues[names.BUILD_QUEUE]


def test_a_worker_keeps_nothing_that_another_needs(cluster: Cluster, first: dict[str, Any]):
    kept = {
        path.relative_to(cluster.machines[name].home).parts[0]
        for name in WORKERS
        for path in cluster.machines[name].home.iterdir()
    }
    # Scratch, logs, what was given, and witnesses (docs/operating-airflow.md, "Many machines").
    assert kept <= {
        "airflow", "dbt", "digests", "feast", "fits", "gx", "lineage", "logs", "models", "run", "secrets",
    }  # fmt: skip


def test_a_machine_that_built_nothing_tells_the_same_of_tables_and_columns(
    cluster: Cluster, first: dict[str, Any]
):
    undisturbed = cluster.control.with_settings(database_name="touchline_sandbox_undisturbed")
    for question in (
        ("lineage", "columns", "analytics.upcoming_predictions"),
        ("catalogue", "--schema", "core"),
    ):
        told, expected = (each.touchline("--json", *question) for each in (cluster.control, undisturbed))
        assert told.returncode == 0, told.stderr
        assert known(told.stdout) == known(expected.stdout)


def known(told: str) -> list[dict[str, Any]]:
    """What is true of a table or column whenever it was built."""
    return [
        {name: value for name, value in row.items() if name not in ("newest_at", "age_hours", "state")}
        for row in json.loads(told)
    ]


def test_a_broker_that_goes_away_delays_a_run_and_fails_nothing(cluster: Cluster, first: dict[str, Any]):
    settings, redis = cluster.settings, cluster.machines[REDIS]
    advance_clock(settings.sandbox_address, 1)
    run = cluster.control.begin("--json", "run")
    wait_until(lambda: is_running(settings, "build_core"), run)
    redis.cut_power()
    back = threading.Timer(OUTAGE_SECONDS, redis.start)
    back.start()
    told, errors = run.communicate(timeout=RUN_SECONDS)
    back.join()
    assert run.returncode == 0, errors
    assert json.loads(told)["shortfalls"] == []


def test_a_worker_with_other_code_refuses_its_tasks_and_another_does_them(
    cluster: Cluster, first: dict[str, Any]
):
    settings = cluster.settings
    for name in WORKERS:
        cluster.machines[name].stop()
    folder = settings.home.parent
    code = copy_of_code(folder / "other-code")
    (code / "plugins" / "touchline_assets.py").open("a").write("# Another release.\n")
    other = WORKERS[0]
    of_airflow = dict(cluster.control.variables)
    command = cluster.machines[other].program.command[5:]
    outdated = joined(settings, folder, "worker-of-another-release", command, of_airflow, code)
    outdated.start()
    since = live_clock().as_of
    with airflow_of(settings) as api:
        run = api.trigger(names.PREDICT_MATCHES, {"as_of": run_clock(settings).as_of.isoformat()})
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "bring this machine to the release of the others" not in outdated.task_logs():
            assert time.monotonic() < deadline, outdated.task_logs()
            time.sleep(0.5)
        outdated.stop()
        cluster.machines[other].start()
        Follower(settings, api, since, RUN_SECONDS, lambda runs, tasks: None).until_idle()
        assert {task.state for task in api.tasks(run)} == {"success"}
    with connect(settings, "ingest") as connection:
        statuses = rows(
            connection, "select status from ops.pipeline_run where run_id like %s", (f"%{run.run_id}",)
        )
    assert {row["status"] for row in statuses} == {"success"}


def test_when_all_is_shut_down_nothing_is_left_running(cluster: Cluster, first: dict[str, Any]):
    cluster.remember_sessions()
    cluster.stop()
    assert [process.cmdline() for process in cluster.processes()] == []


def open_airflow(settings: Settings) -> Any:
    return open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow"))


def is_writing(settings: Settings, role: str) -> bool:
    """Whether a transaction of the role has written something that it has not committed yet."""
    with open_url(settings.admin_url) as connection:
        query = "select count(*) from pg_stat_activity where usename = %s and backend_xid is not null"
        return bool(scalar(connection, query, (role,)))


def copy_of_code(folder: Path) -> Path:
    """The code of this installation in another place."""
    for name in ("include", "plugins", "dags", "dbt_project", "config"):
        shutil.copytree(
            PROJECT_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for name in ("airflow.cfg", "requirements.txt"):
        shutil.copy(PROJECT_ROOT / name, folder / name)
    return folder
