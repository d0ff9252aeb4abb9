"""The steps of the pipeline without Airflow: what each does, what it announces, and what a failure leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import match_row, write_season_file
from databases import copy_of
from served_world import FIXTURES, NOW
from table_digests import table_digests
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows, scalar
from touchline.errors import NothingToBackfill, ServiceFailed, TouchlineError
from touchline.operations import names
from touchline.operations.edge import run_clock
from touchline.operations.past import run_step_of_past
from touchline.operations.pipeline import StepOutcome, run_step
from touchline.operations.steps import STEPS, collecting
from touchline.registry.training import train_on
from touchline.settings import Settings
from touchline.sources.source import KINDS, Kind
from training_frames import QUICK, simulated_matches
from warehouse import round_robin

pytestmark = pytest.mark.slow


def run(settings: Settings, step: str, run_id: str, as_of: datetime | None = None) -> StepOutcome:
    return run_step(settings, STEPS[step], run_id, as_of)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seasons")
    write_season_file(folder, [*round_robin(), *FIXTURES])
    return folder


@pytest.fixture(scope="module")
def installation(mlflow_server: Settings, learning: Any, module_settings: Settings, folder: Path) -> Settings:
    """A database of its own, an MLflow server, and a folder of season files read as of an instant."""
    return module_settings.model_copy(update={"source": str(folder), "as_of": NOW})


def collect(settings: Settings, run_id: str, kind: Kind, as_of: datetime | None = None) -> StepOutcome:
    """What a collection's DAG does: collect, then announce."""
    run_step(settings, collecting((kind,)), run_id, as_of)
    return run(settings, f"announce_{kind}", run_id, as_of)


def build(settings: Settings, run_id: str = "build") -> dict[str, StepOutcome]:
    return {step: run(settings, step, run_id) for step in names.BUILD}


@pytest.fixture(scope="module")
def first(installation: Settings) -> dict[str, StepOutcome]:
    """What every step says that begins with an empty database."""
    collected = {f"collect_{kind}": collect(installation, "first", kind) for kind in KINDS}
    built = build(installation, "first")
    after = {step: run(installation, step, "first") for step in ("predict", "settle", "measure_drift")}
    return collected | built | after


@pytest.fixture
def caught_up(installation: Settings, first: dict[str, StepOutcome]) -> Iterator[Settings]:
    """A copy of the installation after its first run, for one test that may change it."""
    with copy_of(installation) as settings:
        yield settings


def recorded(settings: Settings, step: str) -> dict[str, object]:
    with connect(settings, "ingest") as connection:
        query = "select * from ops.pipeline_run where step = %s order by started_at desc limit 1"
        return rows(connection, query, (step,))[0]


def n_predictions(settings: Settings) -> int:
    with connect(settings, "model") as connection:
        return int(scalar(connection, "select count(*) from ledger.prediction"))


def test_from_an_empty_database_each_step_tells_the_next(
    installation: Settings, first: dict[str, StepOutcome]
):
    assert {outcome.as_of for outcome in first.values()} == {NOW.isoformat()}
    assert not any(first[step].is_repeat for step in names.BUILD)
    news = {step: set(outcome.new_assets) for step, outcome in first.items() if outcome.new_assets}
    assert news == {
        **{f"collect_{kind}": {names.LANDING[kind]} for kind in KINDS},
        names.BUILT: {names.FEATURES, names.RESULTS},
    }
    assert "champion" in first["predict"].summary
    assert n_predictions(installation) == 0
    row = recorded(installation, "build_core")
    assert (row["run_id"], row["status"], row["as_of"]) == ("first", "success", NOW)
    assert row["finished_at"] is not None


def test_news_say_of_which_matches(caught_up: Settings, first: dict[str, StepOutcome], folder: Path):
    def extent(first_on: str, last_on: str, n_matches: int) -> list[dict[str, object]]:
        return [{
            "competitions": ("E0",), "first_match_on": first_on, "last_match_on": last_on, "n_matches": n_matches,
        }]  # fmt: skip

    everything = extent("2022-10-01", "2022-11-05", 18)
    assert first["collect_fixtures"].news == {names.LANDING_FIXTURES: extent("2022-11-02", "2022-11-05", 3)}
    assert first["collect_scores"].news == {names.LANDING_SCORES: everything}
    stored = {asset: [{**told, "competitions": tuple(told["competitions"])} for told in reasons]
              for asset, reasons in first[names.BUILT].news.items()}  # fmt: skip
    assert stored == {names.FEATURES: everything, names.RESULTS: extent("2022-10-01", "2022-10-15", 15)}
    corrected = [
        match_row(**{**row, "FTHG": "5"}) if index == 3 else row for index, row in enumerate(round_robin())
    ]
    write_season_file(folder, [*corrected, *FIXTURES])
    assert collect(caught_up, "corrected", "scores").news == {
        names.LANDING_SCORES: extent("2022-10-04", "2022-10-04", 1)
    }
    write_season_file(folder, [*round_robin(), *FIXTURES])


def test_with_nothing_new_nothing_is_announced_or_done_again(caught_up: Settings):
    assert collect(caught_up, "again", "scores").new_assets == ()
    before = recorded(caught_up, "build_core")
    again = build(caught_up, "again")
    assert all(outcome.is_repeat for outcome in again.values())
    assert again[names.BUILT].new_assets == ()
    assert recorded(caught_up, "build_core") == before


def test_a_new_champion_predicts_once(caught_up: Settings):
    one_season = caught_up.model_copy(update={"evaluation_seasons": 1})
    train_on(one_season, simulated_matches(n_seasons=2, n_a_season=310), QUICK, NOW, "train")
    outcome = run(caught_up, "predict", "predict-1")
    (told,) = outcome.news[names.PREDICTIONS]
    assert (told["competitions"], told["first_match_on"], told["n_matches"]) == (("E0",), "2022-11-02", 3)
    written = n_predictions(caught_up)
    assert written > 0
    assert run(caught_up, "predict", "predict-2").new_assets == ()
    assert n_predictions(caught_up) == written
    with pytest.raises(NothingToBackfill, match="version 1 was trained as of 2022-11-02"):
        run_step_of_past(caught_up, STEPS["train"], "backfill", NOW - timedelta(days=1))
    with connect(caught_up, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status) values ('t', 'train', %s, 'success')",
            (NOW,),
        )
    for verdict in (names.ALL_PREDICTED, "all_collected/scores"):
        assert run(caught_up, verdict, "verdict").summary == "Nothing is missing."
    assert recorded(caught_up, "predict")["detail"]["inputs"]["champion"] == "1"


def test_without_a_budget_the_weekly_search_does_nothing(caught_up: Settings):
    off = caught_up.model_copy(update={"tuning_budget_seconds": 0})
    outcome = run(off, "tune", "sunday")
    assert (outcome.is_repeat, outcome.new_assets) == (True, ())
    assert "off" in outcome.summary


def test_a_failed_step_is_recorded_with_its_reason_and_raises(caught_up: Settings):
    with pytest.raises(TouchlineError) as refused:
        run(caught_up, "train", "too-early")
    row = recorded(caught_up, "train")
    assert (row["status"], row["run_id"]) == ("failed", "too-early")
    assert str(refused.value).startswith(row["detail"]["error"])


def test_a_consumer_that_failed_is_told_again_by_the_next_collection(caught_up: Settings):
    deaf = caught_up.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    with pytest.raises(ServiceFailed):
        run(deaf, "predict", "deaf")
    assert collect(caught_up, "next", "odds").new_assets == (names.LANDING_ODDS,)
    again = build(caught_up, "next")
    assert all(outcome.is_repeat for outcome in again.values())
    assert again[names.BUILT].new_assets == (names.FEATURES,)


def test_a_build_that_died_half_way_is_done_again_from_there(caught_up: Settings):
    with connect(caught_up, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of) values ('killed', 'build_features', %s)",
            (NOW,),
        )
    assert collect(caught_up, "next", "scores").new_assets == (names.LANDING_SCORES,)
    again = {step: outcome.is_repeat for step, outcome in build(caught_up, "next").items()}
    assert again == {step: step != "build_features" for step in names.BUILD}


def test_a_search_for_anomalies_that_failed_is_no_reason_to_build_again(caught_up: Settings):
    with connect(caught_up, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of) values ('killed', 'detect_anomalies', %s)",
            (NOW,),
        )
    assert collect(caught_up, "next", "scores").new_assets == ()


def test_a_new_payload_sets_off_a_build(caught_up: Settings, folder: Path):
    corrected = [
        match_row(**{**row, "FTHG": "5"}) if index == 3 else row for index, row in enumerate(round_robin())
    ]
    write_season_file(folder, [*corrected, *FIXTURES])
    assert collect(caught_up, "corrected", "scores").new_assets == (names.LANDING_SCORES,)
    assert not any(outcome.is_repeat for outcome in build(caught_up, "corrected").values())
    with connect(caught_up, "model") as connection:
        assert scalar(connection, "select max(home_goals) from core.match_result") == 5


def test_another_as_of_sets_off_a_build_of_its_own(caught_up: Settings):
    later = NOW + timedelta(minutes=1)
    outcome = collect(caught_up, "later", "fixtures", later)
    assert outcome.new_assets == (names.LANDING_FIXTURES,)
    assert outcome.as_of == later.isoformat()
    assert not run(caught_up, "check_landing", "later", later).is_repeat


def test_with_the_wall_clock_a_build_is_due_for_news_or_after_six_hours(caught_up: Settings):
    live = caught_up.model_copy(update={"as_of": None})
    soon, much_later = NOW + timedelta(minutes=1), NOW + timedelta(hours=6)
    assert collect(live, "soon", "fixtures", soon).new_assets == ()
    assert collect(live, "later", "fixtures", much_later).new_assets == (names.LANDING_FIXTURES,)


@pytest.mark.nightly  # It builds four times. By day: the next two.
def test_backfilled_days_end_in_the_tables_of_having_run_then(caught_up: Settings):
    days = [datetime(2022, 10, day, tzinfo=UTC) for day in (11, 12)]
    with copy_of(caught_up) as then:
        for day in days:
            for step in ("check_landing", "check_features"):
                outcome = run_step_of_past(caught_up, STEPS[step], f"backfill of {day}", day)
                assert (outcome.as_of, outcome.news) == (day.isoformat(), {})
        for step in ("check_landing", "build_core", "update_ratings", "build_features"):
            run(then, step, "then", days[-1])
        built = table_digests(caught_up, ["core", "features"])
        assert built == table_digests(then, ["core", "features"])
    with connect(caught_up, "model") as connection:
        assert 0 < scalar(connection, "select count(*) from core.match_result") < 15


def test_a_step_of_a_past_day_goes_back_to_it_when_another_run_has_moved_the_warehouse(caught_up: Settings):
    day = datetime(2022, 10, 12, tzinfo=UTC)
    run_step_of_past(caught_up, STEPS["check_landing"], "backfill", day)
    run(caught_up, "check_landing", "ordinary")
    outcome = run_step_of_past(caught_up, STEPS["build_core"], "backfill", day)
    assert (outcome.as_of, outcome.news) == (day.isoformat(), {})
    with connect(caught_up, "model") as connection:
        assert scalar(connection, "select max(kickoff_on) from core.match_result") == day.date() - timedelta(
            days=1
        )


def test_nothing_is_predicted_on_a_warehouse_in_the_past_and_the_next_collection_brings_it_back(
    caught_up: Settings,
):
    before = NOW - timedelta(days=21)
    with connect(caught_up, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at, detail) "
            "select 'backfill', step, %s, status, clock_timestamp(), "
            "jsonb_set(detail, '{inputs,as_of}', to_jsonb(%s::text)) from ops.pipeline_run where step = %s",
            (before, before.isoformat(), names.BUILT),
        )
    told = run(caught_up, "predict", "too-early")
    assert told.is_repeat
    assert "stands as of 2022-10-12T12:00:00+00:00, where a backfill left it" in told.summary
    assert collect(caught_up, "present", "scores").new_assets == (names.LANDING_SCORES,)


def test_the_views_are_renewed_where_the_wall_clock_has_moved_on(caught_up: Settings):
    assert run(caught_up, "refresh_analytics", "virtual").is_repeat
    live = caught_up.model_copy(update={"as_of": None})
    assert not run(live, "refresh_analytics", "live").is_repeat
    assert recorded(caught_up, "refresh_analytics")["status"] == "success"


def test_a_live_prediction_is_made_now_whatever_started_it(caught_up: Settings):
    live = caught_up.model_copy(update={"as_of": None})
    outcome = run(live, "predict", "live", NOW)
    assert datetime.fromisoformat(outcome.as_of) > NOW + timedelta(days=365)
    assert run_clock(live, NOW).mode == "live"
    assert run_clock(caught_up) == virtual_clock(NOW)
