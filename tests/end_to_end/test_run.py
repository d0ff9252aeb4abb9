"""`touchline run` on the simulated world, from nothing with kills; then again; then a week later.

The tests follow one another in one installation: a run costs minutes.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from described.__main__ import asking

from builders import match_row, write_season_file
from installation import RUN_SECONDS, Installation
from moments import STEP_SECONDS, is_running, task_process, wait_until
from panel_queries import without_series
from table_digests import row_counts, table_digests
from touchline.cli.output import PARTLY_FAILED
from touchline.clock import live_clock, virtual_clock
from touchline.database import bootstrap
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.errors import PipelineFailed
from touchline.openlineage.datasets import NAMESPACE
from touchline.openlineage.transport import events_file
from touchline.operations import names, status, way
from touchline.operations.airflow_api import airflow_of
from touchline.operations.airflow_settings import USER
from touchline.operations.edge import run_clock
from touchline.operations.follow import Follower
from touchline.operations.pipeline import StepOutcome, run_step
from touchline.operations.run import forget_other_worlds
from touchline.operations.steps import STEPS
from touchline.quality.holds import Breach, keep_holds, release
from touchline.sandbox.clock import advance_clock
from touchline.sandbox.faults import NONE, Fault, switch_fault
from touchline.settings import PROJECT_ROOT, Settings
from touchline.sources.source import KINDS
from touchline.supervision.programs import read_life
from touchline.warehouse.changes import stands_as_of
from warehouse import round_robin
from watching import installed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def first(installation: Installation) -> dict[str, Any]:
    """The report of a first run in which the worker that builds the core is killed at work."""
    settings = installation.settings
    run = installation.begin("--json", "run")
    wait_until(lambda: is_running(settings, "build_core"), run)
    worker = psutil.Process(task_process(settings, "build_core")).parent()
    assert worker is not None
    assert "worker" in worker.cmdline()[0]
    worker.kill()
    told, errors = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0, errors
    installation.remember_sessions()
    return dict(json.loads(told))


def test_a_run_from_nothing_ends_with_predictions(installation: Installation, first: dict[str, Any]):
    assert first["is_simulated"]
    assert first["n_upcoming"] > 0
    with connect(installation.settings, "api") as connection:
        upcoming = rows(connection, "select * from analytics.upcoming_predictions")
    assert len(upcoming) == first["n_upcoming"]
    for row in upcoming:
        assert abs(row["p_home"] + row["p_draw"] + row["p_away"] - 1) < 1e-9
        assert row["predicted_at"] < row["kickoff_at"]
        assert row["is_simulated"]


def test_its_four_addresses_answer(first: dict[str, Any]):
    assert set(first["addresses"]) == {"board", "API", "Airflow", "MLflow"}
    for address in first["addresses"].values():
        assert httpx.get(address, timeout=30, follow_redirects=True).status_code == 200


def test_airflow_shows_every_task_as_success(installation: Installation, first: dict[str, Any]):
    with airflow_of(installation.settings) as api:
        runs = [
            run for run in api.runs_since(run_start(installation)) if run.state not in ("queued", "running")
        ]
        assert {run.dag_id for run in runs} == set(names.DAGS) - {
            names.TUNE_MODELS, names.KEEP_HOUSE, names.WATCH_KICKOFFS, names.APPROVE_PROMOTION, names.REPORT_MODELS,
            names.BACK_UP, names.CHECK_BACKUP,
        }  # fmt: skip
        tasks = [task for run in runs for task in api.tasks(run)]
        # No source left anything for later.
        assert {task.state for task in tasks if not task.task_id.startswith("collect_rest.")} == {"success"}
        assert {task.state for task in tasks if task.task_id.startswith("collect_rest.")} == {"skipped"}
        assert "build_core" in {task.task_id for task in tasks if task.try_number > 1}
        assert api.import_errors() == []
    assert first["n_dag_runs"] == len(runs)


def test_lineage_has_a_start_and_an_end_of_every_task(installation: Installation, first: dict[str, Any]):
    told = [json.loads(line) for line in events_file(installation.settings).read_text().splitlines()]
    for step in (*names.BUILD, "train", "predict"):
        own = [event for event in told if event["job"]["name"].endswith(f".{step}")]
        assert {event["job"]["namespace"] for event in own} == {NAMESPACE}
        assert {"START", "COMPLETE"} <= {event["eventType"] for event in own}, step
    ended = next(
        event for event in told if event["job"]["name"] == "predict_matches.predict" and event["outputs"]
    )
    database = installation.settings.warehouse_database
    assert f"{database}.ledger.prediction" in {each["name"] for each in ended["outputs"]}


def test_airflow_answers_who_has_logged_in_on_its_own_pages_and_nobody_else(
    installation: Installation, first: dict[str, Any]
):
    address = first["addresses"]["Airflow"]
    told = json.loads(installation.touchline("--json", "airflow", "login").stdout)
    assert told["address"] == f"{address}auth/login"
    login = {"username": told["user"], "password": told["password"]}
    token = httpx.post(f"{address}auth/token", json=login).json()["access_token"]
    variables, value = f"{address}api/v2/variables", {"key": "mine", "value": "x"}
    for headers, expected in (
        ({}, 401),
        ({"Authorization": "Bearer x"}, 403),
        ({"Authorization": f"Bearer {token}", "Host": "rebound.example"}, 403),
        ({"Authorization": f"Bearer {token}", "Origin": "https://other.example"}, 403),
        ({"Authorization": f"Bearer {token}"}, 201),
    ):
        assert httpx.post(variables, json=value, headers=headers).status_code == expected, headers
    page = httpx.get(f"{address}touchline/", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    assert page.status_code == 200
    assert page.text.count('<div class="asset fresh">') == len(names.ASSETS) - 1, (
        "all but what is tuned weekly"
    )
    assert page.text.count('class="match"') == min(first["n_upcoming"], way.N_FIXTURES)
    trigger = f"{address}api/v2/dags/{names.PREDICT_MATCHES}/dagRuns"
    assert httpx.post(trigger, json={"logical_date": None}).status_code == 401
    assert httpx.get(f"{address}auth/token").status_code == 403


def test_everything_listens_on_the_loopback_address_only(installation: Installation, first: dict[str, Any]):
    listening = [
        connection.laddr.ip
        for process in installation.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= len(first["addresses"])
    assert set(listening) == {"127.0.0.1"}


@pytest.mark.nightly
def test_a_build_whose_task_was_killed_is_what_an_undisturbed_one_is(
    installation: Installation, first: dict[str, Any]
):
    undisturbed = installation.with_settings(database_name="touchline_sandbox_undisturbed").settings
    bootstrap.prepare(undisturbed)
    as_of = datetime.fromisoformat(first["as_of"])
    for step in (*(f"collect_{kind}" for kind in KINDS), *names.BUILD[:4]):
        run_step(undisturbed, STEPS[step], "undisturbed", as_of)
    built, expected = (
        table_digests(each, ["core", "features"]) for each in (installation.settings, undisturbed)
    )
    assert built == expected


@pytest.mark.nightly  # By day: tests/integration/test_pipeline.py, step by step.
def test_a_second_run_adds_no_row_anywhere_and_shows_tables(
    installation: Installation, first: dict[str, Any]
):
    before = row_counts(installation.settings), table_digests(installation.settings)
    done = installation.touchline("run")
    assert done.returncode == 0, done.stderr
    assert (row_counts(installation.settings), table_digests(installation.settings)) == before
    for words in ("Upcoming predictions (SIMULATED football)", "Skill against the market", "Where to look"):
        assert words in done.stdout
    assert first["addresses"]["board"] in done.stdout


def test_up_finds_everything_running_and_says_where(installation: Installation, first: dict[str, Any]):
    done = installation.touchline("--json", "up")
    assert json.loads(done.stdout) == first["addresses"]
    status = json.loads(installation.touchline("--json", "status").stdout)
    assert {service["state"] for service in status["services"]} == {"running"}


def test_what_the_page_for_operators_says_of_starting_from_outside_works(
    installation: Installation, first: dict[str, Any]
):
    login = json.loads(installation.touchline("--json", "airflow", "login").stdout)
    page = (PROJECT_ROOT / "docs" / "operating-airflow.md").read_text()
    examples = re.findall(r"^```python\n(.+?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(examples) == 4
    told: dict[str, Any] = {}
    since = live_clock().as_of
    for example in examples:
        text = example.replace("http://127.0.0.1:8080", first["addresses"]["Airflow"])
        exec(text.replace("the password", login["password"]), told)
    with airflow_of(installation.settings) as api:
        Follower(installation.settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
        runs = {run.dag_id: run for run in api.runs_since(since)}
        tasks = {task.task_id: task for task in api.tasks(runs[names.PREDICT_MATCHES])}
        why = "\n".join(api.log(tasks["predict"]))
    assert {run.state for run in runs.values()} == {"success"}
    assert runs.keys() >= {names.COLLECT_SCORES, names.BUILD_WAREHOUSE, names.PREDICT_MATCHES}
    consumed = told["consumed_by"](names.BUILD_WAREHOUSE, runs[names.BUILD_WAREHOUSE].run_id)
    # Within some hours after a planned time the first start makes up for it, and announces before builds are on.
    ((asset, extra),) = [each for each in consumed if "reason" in each[1]]
    assert (asset, extra["reason"]) == (names.LANDING_FIXTURES, "the league has moved a round")
    assert {task.state for task in tasks.values()} == {"skipped"}
    assert "A prediction is written before kick-off or not at all" in why


def test_a_backfill_of_a_day_that_is_ahead_in_the_simulated_world_fails_at_once_and_says_so(
    installation: Installation, first: dict[str, Any]
):
    ahead = datetime.fromisoformat(first["as_of"]).replace(hour=0, minute=0) + timedelta(days=30)
    with pytest.raises(PipelineFailed, match="settle of settle_predictions failed at try 1") as failed:
        post_backfill(installation, first, names.SETTLE_PREDICTIONS, ahead, ahead)
    assert "DayNotOver: this run stands for a day that ends at" in str(failed.value)


@pytest.mark.nightly  # By day step by step (tests/integration/test_pipeline.py).
def test_a_build_backfilled_by_airflow_ends_in_the_tables_of_having_run_then(
    installation: Installation, first: dict[str, Any]
):
    settings, now = installation.settings, datetime.fromisoformat(first["as_of"])
    midnight = now.replace(hour=0, minute=0)
    post_backfill(
        installation, first, names.BUILD_WAREHOUSE, midnight - timedelta(days=2), midnight - timedelta(days=1)
    )
    undisturbed = installation.with_settings(database_name="touchline_sandbox_then").settings
    bootstrap.prepare(undisturbed)
    for kind in KINDS:
        run_step(undisturbed, STEPS[f"collect_{kind}"], "then", now)
    for step in names.BUILD[:4]:
        run_step(undisturbed, STEPS[step], "then", midnight)
    # Snapshots are not taken in the past.
    built, expected = (
        {
            table: digest
            for table, digest in table_digests(each, ["core", "features"]).items()
            if not table.endswith("_snapshot")
        }
        for each in (settings, undisturbed)
    )
    assert built == expected
    with airflow_of(settings) as api:
        since = live_clock().as_of
        api.trigger(names.COLLECT_SCORES, {"as_of": first["as_of"]})
        Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
        # Predictions have seen this build already.
        assert {run.dag_id for run in api.runs_since(since)} == {names.COLLECT_SCORES, names.BUILD_WAREHOUSE}
    assert stands_as_of(settings, "features") == now


def test_house_is_kept_without_a_harm_to_what_is_new(installation: Installation, first: dict[str, Any]):
    settings, since = installation.settings, live_clock().as_of
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
        connection.execute(
            "insert into log (dttm, event, extra) values (now() - interval '91 days', 'old', ''), "
            "(now() - interval '89 days', 'newer', '')"
        )
    with airflow_of(settings) as api:
        before = {run.run_id for run in api.runs_since(run_start(installation))}
        api.trigger(names.KEEP_HOUSE, {})
        Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
        assert {run.state for run in api.runs_since(since)} == {"success"}
        assert before < {run.run_id for run in api.runs_since(run_start(installation))}
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
        query = "select array_agg(event) from log where event in ('old', 'newer')"
        assert scalar(connection, query) == ["newer"]
        assert (
            scalar(connection, "select count(*) from pg_tables where tablename like '\\_airflow\\_deleted%%'")
            == 0
        )


def test_a_failing_task_is_told_with_its_log_and_not_tried_again_in_vain(
    installation: Installation, first: dict[str, Any]
):
    settings, since = installation.settings, live_clock().as_of
    with airflow_of(settings) as api:
        api.trigger(names.PREDICT_MATCHES, {"as_of": "yesterday"})
        with pytest.raises(PipelineFailed) as failed:
            Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
    for words in (
        "task predict of predict_matches failed at try 1",
        "SettingsInvalid",
        "'yesterday' is not a date",
    ):
        assert words in str(failed.value)
    hook = installation.hook
    assert hook is not None
    await_true(lambda: any("predict_matches / predict" in each for each in hook.told))
    (told,) = (each for each in hook.told if "predict_matches / predict" in each)
    for words in (
        "predict_matches / predict",
        "SettingsInvalid: 'yesterday' is not a date",
        "To do: nothing of",
        "/runs/manual",
    ):
        assert words in told


@pytest.fixture(scope="module")
def paused(installation: Installation, first: dict[str, Any]) -> dict[str, tuple[str | None, str]]:
    """State and log of the tasks of a collection of which a source asks for a pause, and whose time is over at once."""
    settings, since = installation.settings, live_clock().as_of
    address = f"http://127.0.0.1:{settings.running_port('sandbox', 0)}"
    # football-data.org then asks to be left alone until midnight.
    switch_fault(address, Fault.QUOTA_SPENT, 1.0)
    with airflow_of(settings) as api:
        run = api.trigger(names.COLLECT_FIXTURES, {"as_of": first["as_of"], "announce": False})
        with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
            connection.execute(
                "update deadline set deadline_time = now() from dag_run "
                "where dag_run.id = dagrun_id and dag_run.run_id = %s",
                (run.run_id,),
            )
        Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
        switch_fault(address, NONE)
        return {task.task_id: (task.state, "\n".join(api.log(task))) for task in api.tasks(run)}


def test_a_source_that_asks_for_a_pause_is_waited_for_without_a_worker_and_keeps_no_other_waiting(
    paused: dict[str, tuple[str | None, str]],
):
    states = {name: state for name, (state, _) in paused.items()}
    assert {states[f"collect.football_data_{source}"] for source in ("uk", "org")} == {"success"}
    assert states["collect_rest.football_data_uk"] == "skipped"
    state, log = paused["collect_rest.football_data_org"]
    assert state == "success"
    assert "football_data_org is asked for the rest at" in log
    assert "it asks to be left alone for" in log


def test_a_run_that_has_not_ended_in_time_is_told_by_the_triggerer(
    installation: Installation, paused: dict[str, tuple[str | None, str]]
):
    hook = installation.hook
    assert hook is not None
    await_true(lambda: any("has not ended 60 minutes after it was queued" in told for told in hook.told))


@pytest.mark.nightly  # By day: the failing task before.
def test_a_task_that_failed_is_tried_again(installation: Installation, first: dict[str, Any]):
    settings, since = installation.settings, live_clock().as_of
    with airflow_of(settings) as api:
        # The warehouse knows more than a run of a day before may know.
        before = datetime.fromisoformat(first["as_of"]) - timedelta(days=1)
        api.trigger(names.PREDICT_MATCHES, {"as_of": before.isoformat()})
        with pytest.raises(PipelineFailed) as failed:
            Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
    for words in ("task predict of predict_matches failed at try 3", "FeaturesUnavailable", "know more than"):
        assert words in str(failed.value)


@pytest.fixture
def elsewhere(installation: Installation, first: dict[str, Any]) -> Iterator[None]:
    """The services work for another world during the test, and for that of the others again after it."""
    yield
    assert installation.touchline("up").returncode == 0
    installation.remember_sessions()


@pytest.mark.nightly
@pytest.mark.usefixtures("elsewhere")
def test_a_failing_task_ends_the_run_with_its_log(
    installation: Installation, first: dict[str, Any], tmp_path: Path
):
    bad = [match_row(Date="the 3rd", HomeTeam=f"Team {number}") for number in range(30)]
    write_season_file(tmp_path, [*round_robin(), *bad])
    real = installation.with_settings(source=str(tmp_path), as_of=datetime(2022, 11, 2, tzinfo=UTC))
    done = real.touchline("run")
    assert done.returncode == 1
    for words in (
        "PipelineFailed",
        "task train of train_models failed at try",
        "ModelUnavailable",
        "too few to learn from",
    ):
        assert words in done.stderr
    # A body of which most rows cannot be read holds its competition; it stops nobody else.
    with connect(real.settings, "model") as connection:
        assert scalar(connection, "select array_agg(distinct competition) from ops.competition_hold") == [
            "E0"
        ]


@pytest.mark.nightly
@pytest.mark.usefixtures("elsewhere")
def test_kills_in_the_middle_change_nothing_in_the_end(installation: Installation, first: dict[str, Any]):
    killed = installation.with_settings(database_name="touchline_sandbox_killed")
    run = killed.begin("run")
    wait_until(lambda: is_running(killed.settings, "build_core"), run)
    os.kill(task_process(killed.settings, "build_core"), signal.SIGKILL)
    wait_until(lambda: is_running(killed.settings, "build_features"), run)
    os.kill(process_of(killed.settings, status.SCHEDULER), signal.SIGKILL)
    wait_until(lambda: is_running(killed.settings, "train"), run)
    os.kill(process_of(killed.settings, status.POSTGRES), signal.SIGKILL)
    installation.remember_sessions()
    _, told = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0, told
    assert table_digests(killed.settings) == table_digests(installation.settings)


@pytest.mark.nightly  # By day step by step (tests/integration/test_pipeline.py, test_ledger.py).
def test_a_week_later_predictions_are_settled_and_new_ones_made(
    installation: Installation, first: dict[str, Any]
):
    settings = installation.settings
    before = row_counts(settings)
    advance_clock(f"http://127.0.0.1:{settings.running_port('sandbox', 0)}", 7)
    clock = run_clock(settings)

    def run(step: str, given: Settings = settings) -> StepOutcome:
        return run_step(given, STEPS[step], "week", clock.as_of)

    for kind in KINDS:
        run(f"collect_{kind}")
        assert run(f"announce_{kind}").new_assets
    built = {step: run(step) for step in names.BUILD}
    assert set(built[names.BUILT].new_assets) == {names.FEATURES, names.RESULTS}
    assert names.SETTLED in run("settle").new_assets
    # Time for one trial, which is what is used already.
    brief = settings.model_copy(update={"tuning_budget_seconds": 0.001})
    assert run("tune", brief).new_assets == ()
    assert run("tune", brief).is_repeat
    assert run("train").new_assets == (names.CHAMPION,)
    assert run("predict").new_assets == (names.PREDICTIONS,)
    assert run("train").is_repeat
    after = row_counts(settings)
    assert after["ledger.prediction_outcome"] == before["ledger.prediction"]
    assert after["ledger.prediction"] > before["ledger.prediction"]


@pytest.fixture
def held(installation: Installation, first: dict[str, Any]) -> Iterator[str]:
    """A competition with fixtures ahead that is held during the test, by a gate that no build can pass meanwhile."""
    settings, as_of = installation.settings, run_clock(installation.settings).as_of
    with connect(settings, "transform") as connection:
        code = str(scalar(connection, "select min(competition) from analytics.upcoming_predictions"))
        breach = Breach(code, ("planted", "suite", "expectation", ""), frozenset({"a row"}), "planted")
        keep_holds(connection, "planted", [breach], None, as_of, "planted")
    yield code
    release(settings, code, "planted", as_of, "planted")


def test_a_dag_that_is_only_degraded_fails_at_once_with_the_reason_and_has_done_its_work(
    installation: Installation, held: str
):
    settings, since = installation.settings, live_clock().as_of
    with airflow_of(settings) as api:
        api.trigger(names.PREDICT_MATCHES, {"as_of": run_clock(settings).as_of.isoformat()})
        Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
        (run,) = (run for run in api.runs_since(since) if run.dag_id == names.PREDICT_MATCHES)
        tasks = api.tasks(run)
        told = "\n".join(line for task in tasks if task.state == "failed" for line in api.log(task))
    assert {task.task_id: (task.state, task.try_number) for task in tasks} == {
        "predict": ("success", 1), "forecast_season": ("success", 1), "refresh_analytics": ("success", 1),
        "all_predicted": ("failed", 1),
    }  # fmt: skip
    assert run.state == "failed"
    assert f"a quality gate holds {held}" in told
    doctor = installation.touchline("--json", "doctor")
    assert doctor.returncode == 4, doctor.stdout
    checks = {check["subject"]: check for check in json.loads(doctor.stdout)["checks"]}
    assert (checks["held"]["state"], checks["Airflow's scheduler"]["state"]) == ("degraded", "ok")
    assert checks["Airflow's triggerer"]["state"] == "ok"
    assert checks["Airflow's runs"]["finding"] == "none is active"


@pytest.mark.nightly  # By day a DAG (above), and the words of a report (tests/unit/test_shortfalls.py).
def test_a_run_with_a_held_competition_ends_as_degraded(installation: Installation, held: str):
    done = installation.touchline("run")
    assert done.returncode == 4, done.stderr
    assert f"a quality gate holds {held}" in " ".join(done.stdout.split())
    assert "all successful" not in done.stdout
    assert installation.touchline("status").returncode == 0


def test_once_nothing_is_missing_the_doctor_is_content(installation: Installation, first: dict[str, Any]):
    with airflow_of(installation.settings) as api:
        api.trigger(names.PREDICT_MATCHES, {"as_of": run_clock(installation.settings).as_of.isoformat()})
        Follower(
            installation.settings, api, live_clock().as_of, STEP_SECONDS, lambda runs, tasks: None
        ).until_idle()
    done = installation.touchline("doctor")
    assert done.returncode == 0, done.stdout
    assert "Everything that must work does." in done.stdout


def test_an_unfinished_run_of_another_time_is_abandoned_and_that_is_said(
    installation: Installation, first: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    settings, now = installation.settings, datetime.fromisoformat(first["as_of"])
    later = now + timedelta(days=7)

    def told_of(run_id: str) -> list[str]:
        return [message for message in caplog.messages if run_id in message]

    with airflow_of(settings) as api:
        forget_other_worlds(settings, api, virtual_clock(now))
        begun = api.trigger(names.TRAIN_MODELS, {"as_of": now.isoformat()})
        forget_other_worlds(settings, api, virtual_clock(now))
        assert told_of(begun.run_id) == []
        forget_other_worlds(settings, api, virtual_clock(later))
        assert begun.run_id not in {run.run_id for run in api.active_runs()}
    (told,) = told_of(begun.run_id)
    assert f"abandoned: before it had ended, as_of was {now.isoformat()} and is {later.isoformat()}" in told


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STEP_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came to this"
        time.sleep(0.2)


def test_every_service_comes_back_runs_go_on_and_nothing_of_a_killed_one_survives(
    installation: Installation, first: dict[str, Any]
):
    settings, since = installation.settings, live_clock().as_of
    with airflow_of(settings) as api:
        api.trigger(names.PREDICT_MATCHES, {"as_of": run_clock(settings).as_of.isoformat()})
        while not any(task.state == "running" for task in api.tasks_since(since)):
            assert api.active_runs() != []
    leaders = {name: process_of(settings, name) for name in status.SERVICES}
    trees = [
        process
        for leader in leaders.values()
        for process in (psutil.Process(leader), *psutil.Process(leader).children(recursive=True))
    ]
    assert len(trees) > len(leaders) + 3
    for leader in leaders.values():
        os.kill(leader, signal.SIGKILL)
    deadline = time.monotonic() + STEP_SECONDS
    while not is_back(settings, leaders):
        assert time.monotonic() < deadline, status.status(settings)
        time.sleep(0.5)
    assert psutil.wait_procs(trees, timeout=10)[1] == []
    with airflow_of(settings) as api:
        Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()
        assert {run.state for run in api.runs_since(since)} == {"success"}
    told = json.loads(installation.touchline("--json", "status").stdout)["services"]
    assert all(service["n_restarts"] > 0 and "SIGKILL" in service["note"] for service in told)
    ports = {service: settings.running_port(service, 0) for service in (status.API, status.AIRFLOW_API)}
    assert ports == {status.API: settings.api_port, status.AIRFLOW_API: settings.airflow_port}
    assert httpx.get(first["addresses"]["board"], timeout=30).status_code == 200


def is_back(settings: Settings, leaders: dict[str, int]) -> bool:
    services = status.status(settings).services
    return all(each.state == "running" and each.pid != leaders[each.service] for each in services)


def test_every_panel_and_every_rule_finds_a_series_in_what_prometheus_has_scraped(
    installation: Installation, first: dict[str, Any]
):
    for name in (status.PROMETHEUS, status.ALERTMANAGER, status.NODE_EXPORTER):
        installed(name)
    settings = installation.settings
    # Some of the first matches are then over.
    now = advance_clock(settings.sandbox_address, 3)
    # The tests before have used up what a source gives: what the others give is enough.
    assert installation.touchline("collect").returncode in (0, PARTLY_FAILED)
    for command in ("build", "settle"):
        done = installation.touchline(command)
        assert done.returncode == 0, done.stderr
    with connect(settings, "model") as connection:
        # Of so few matches these are not measured.
        for metric, subject in (
            ("confident_picks", "floor"),
            ("log_loss_against_market", settings.model_name),
        ):
            connection.execute(
                "insert into ops.drift_metric (run_id, metric, subject, value, threshold, is_drift, as_of, n_matches) "
                "values ('test', %s, %s, 1, 3, false, %s, 400)",
                (metric, subject, now),
            )
    done = installation.touchline("--json", "monitoring", "start")
    assert done.returncode == 0, done.stderr
    ask = asking(json.loads(done.stdout)["addresses"][status.PROMETHEUS])
    deadline = time.monotonic() + STEP_SECONDS
    while (missing := without_series(ask)) and time.monotonic() < deadline:
        time.sleep(1)
    assert installation.touchline("monitoring", "stop").returncode == 0
    assert missing == []


def test_down_leaves_nothing_running(installation: Installation, first: dict[str, Any]):
    installation.remember_sessions()
    done = installation.touchline("--json", "down")
    assert set(json.loads(done.stdout)["stopped"]) == set(status.SERVICES)
    report = status.status(installation.settings)
    assert {service.state for service in report.services} == {"stopped"}
    assert [process.cmdline() for process in installation.processes()] == []


@pytest.mark.nightly  # By day: `up` and `down`.
def test_in_the_foreground_everything_ends_with_the_command(installation: Installation):
    up = installation.begin("up", "--foreground")
    wait_until(
        lambda: (
            len(status.status(installation.settings).services) > 0
            and is_back(installation.settings, dict.fromkeys(status.SERVICES, 0))
        ),
        up,
    )
    installation.remember_sessions()
    up.send_signal(signal.SIGTERM)
    up.communicate(timeout=STEP_SECONDS)
    assert up.returncode == 0
    assert [process.cmdline() for process in installation.processes()] == []


def post_backfill(
    installation: Installation, first: dict[str, Any], dag_id: str, from_date: datetime, to_date: datetime
) -> None:
    """Ask Airflow for a backfill over a range (UTC, both included), and follow it to its end."""
    settings, since = installation.settings, live_clock().as_of
    login = {"username": USER, "password": settings.secrets["airflow_admin"]}
    with httpx.Client(base_url=first["addresses"]["Airflow"], timeout=30) as client:
        token = client.post("auth/token", json=login).json()["access_token"]
        asked = {"dag_id": dag_id, "from_date": from_date.isoformat(), "to_date": to_date.isoformat()}
        reply = client.post("api/v2/backfills", json=asked, headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 200, reply.text
    with airflow_of(settings) as api:
        Follower(settings, api, since, STEP_SECONDS, lambda runs, tasks: None).until_idle()


def run_start(installation: Installation) -> Any:
    """When the installation began to run (UTC)."""
    with connect(installation.settings, "ingest") as connection:
        return scalar(connection, "select min(started_at) - interval '1 minute' from ops.pipeline_run")


def process_of(settings: Settings, service: str) -> int:
    life = read_life(settings.home, service)
    assert life is not None
    return life.pid
