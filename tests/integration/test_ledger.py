"""The ledger: predictions before kick-off, once; scored when the result is known, again when it is corrected."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from builders import match_row
from databases import copy_of
from predictions import KICKOFF, insert_prediction, prediction, registered, unchecked
from touchline.clock import RunClock, virtual_clock
from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.features.catalogue import FEATURES, GROUPS
from touchline.features.online import FeatureRead, read_features
from touchline.features.training import training_frame
from touchline.forecasting.baselines import Market
from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.specs import know_prices, nightly
from touchline.ledger.predict import FIXTURE, UPCOMING
from touchline.ledger.prediction import append, gate_frame, predictions_of
from touchline.ledger.settle import settle_predictions
from touchline.monitoring.drift import judge_drift
from touchline.monitoring.feature_drift import COMPARED
from touchline.overround import remove_overround
from touchline.quality.gates import check_predictions
from touchline.registry.models import RegisteredForecaster, TrainedVersion
from touchline.settings import Drift, Settings
from touchline.warehouse.build import build_layer
from warehouse import build, land, round_robin

pytestmark = pytest.mark.slow

# Tuesday evening: midweek prices have been collected.
NOVEMBER = datetime(2022, 11, 1, 18, tzinfo=UTC)
BEFORE = virtual_clock(NOVEMBER)
# Arsenal and Leeds meet in November, and once.
OCTOBER = [row for row in round_robin() if (row["HomeTeam"], row["AwayTeam"]) != ("Arsenal", "Leeds")]
UNPLAYED = {"FTHG": "", "FTAG": "", "FTR": "", "AvgCH": "", "AvgCD": "", "AvgCA": ""}
PRICED = match_row(Date="02/11/2022", HomeTeam="Arsenal", AwayTeam="Leeds", FTHG="3", FTAG="1")
UNPRICED = match_row(Date="03/11/2022", HomeTeam="Fulham", AwayTeam="Chelsea", FTHG="0", FTAG="0") | {
    name: "" for name in PRICED if name.startswith(("B365", "Avg"))
}


@dataclass(frozen=True)
class World:
    """A built warehouse, its fixtures and their features."""

    settings: Settings
    fixtures: list[dict[str, Any]]
    read: FeatureRead
    folder: Path


@pytest.fixture(scope="module")
def season(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A played October, and two fixtures: one with prices, one without. Built as of the first of November."""
    folder = tmp_path_factory.mktemp("files")
    sourced = land(module_settings, folder, [*OCTOBER, PRICED | UNPLAYED, UNPRICED | UNPLAYED], NOVEMBER)
    build(sourced, NOVEMBER)
    with connect(sourced, "model") as connection:
        week = {"after": NOVEMBER, "until": NOVEMBER + timedelta(days=7)}
        fixtures = rows(connection, FIXTURE + UPCOMING, week)
    read = read_features(sourced, [row["match_id"] for row in fixtures], NOVEMBER)
    return World(sourced, fixtures, read, folder)


@pytest.fixture
def unpredicted(season: World) -> Iterator[World]:
    """The season and an empty ledger; rows of a ledger cannot be taken back, so it is another one."""
    with copy_of(season.settings) as settings:
        yield replace(season, settings=settings)


@pytest.fixture(scope="module")
def settled(season: World) -> Iterator[dict[str, Any]]:
    """The season predicted; the results come in, and a week later one of them is corrected."""
    with copy_of(season.settings) as settings:
        yield _settled(replace(season, settings=settings))


def _settled(season: World) -> dict[str, Any]:
    settings = season.settings
    append(settings, predictions(season))
    reports = {"too early": settle_predictions(settings, BEFORE, "settle too early")}
    for name, as_of, row in (
        ("results", NOVEMBER + timedelta(days=5), PRICED),
        ("correction", NOVEMBER + timedelta(days=12), PRICED | {"FTHG": "1", "FTR": "D"}),
    ):
        land(settings, season.folder, [*OCTOBER, row, UNPRICED], as_of)
        build_layer(settings, "core", as_of, "build")
        reports[name] = settle_predictions(settings, virtual_clock(as_of), f"settle {name}")
        reports[f"{name} again"] = settle_predictions(settings, virtual_clock(as_of), "settle again")
    build_layer(settings, "analytics", as_of, "build")
    return {"settings": settings, **reports}


def predictions(
    world: World, version: str = "1", role: str = "champion", clock: RunClock = BEFORE, run_id: str = "run"
) -> list[dict[str, Any]]:
    """What predict_matches would append, for a model that no registry holds."""
    made = predictions_of(world.fixtures, world.read, registered(version), role, clock, run_id)
    return [row for row in made if not math.isnan(row["p_home"])]


def announced(world: World, moved: Sequence[dict[str, Any]]) -> None:
    """Let the matches of these predictions kick off when they say."""
    with connect(world.settings, "transform") as connection, connection.cursor() as cursor:
        cursor.executemany(
            "update core.match set kickoff_at = %(kickoff_at)s where match_id = %(match_id)s", moved
        )


def ledger(world: World) -> list[dict[str, Any]]:
    with connect(world.settings, "model") as connection:
        return rows(connection, "select * from ledger.prediction order by predicted_at, prediction_id")


def test_every_fixture_gets_a_row_of_each_forecast_that_can_say_something(unpredicted: World):
    made = predictions(unpredicted)
    assert append(unpredicted.settings, made).n_written == len(made) == 3
    written = ledger(unpredicted)
    assert [(row["home_team"], row["forecast"], row["role"]) for row in written] == [
        ("Arsenal", "elo", "champion"), ("Fulham", "elo", "champion"), ("Arsenal", "market", "baseline"),
    ]  # fmt: skip
    for row in written:
        assert row["p_home"] + row["p_draw"] + row["p_away"] == pytest.approx(1, abs=1e-12)
        grid = np.array(row["scoreline_grid"])
        assert grid.shape == (11, 11)
        assert np.tril(grid, -1).sum() == pytest.approx(row["p_home"], abs=1e-5)
        assert row["predicted_at"] == row["features_as_of"] == NOVEMBER
        assert row["prediction_id"].version == 7
        assert set(row["features"]) == set(FEATURES)


def test_a_forecast_rests_on_prices_when_it_knows_prices_and_had_all_of_them(unpredicted: World):
    prices = {f"market_price_{side}": 2.5 for side in ("home", "draw", "away")}
    with unchecked(unpredicted.settings) as connection:
        for forecast in nightly():
            for number, features in enumerate(({}, prices, prices | {"market_price_draw": None})):
                insert_prediction(connection, forecast=forecast, features=features, run_id=str(number))
    found = {(row["forecast"], row["run_id"]) for row in ledger(unpredicted) if row["rests_on"] == "prices"}
    assert found == {(forecast, "1") for forecast in know_prices() & set(nightly())}


def test_the_written_rows_pass_the_gate(unpredicted: World):
    report = check_predictions(unpredicted.settings, gate_frame(predictions(unpredicted)), NOVEMBER, "gate")
    assert report.n_expectations > 10


def test_predicting_again_adds_nothing(unpredicted: World):
    append(unpredicted.settings, predictions(unpredicted))
    before = ledger(unpredicted)
    for clock in (BEFORE, virtual_clock(NOVEMBER + timedelta(hours=1))):
        assert (
            append(unpredicted.settings, predictions(unpredicted, clock=clock, run_id="again")).n_written == 0
        )
    assert ledger(unpredicted) == before


def test_two_runs_at_once_write_every_prediction_once(unpredicted: World):
    given = [predictions(unpredicted, run_id=f"run-{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        written = [
            done.n_written for done in pool.map(lambda made: append(unpredicted.settings, made), given)
        ]
    assert sorted(written) == [0, 0, 0, 3]
    assert len(ledger(unpredicted)) == 3


def test_new_features_and_a_moved_kickoff_are_new_predictions(unpredicted: World):
    append(unpredicted.settings, predictions(unpredicted))
    moved = [row | {"kickoff_at": row["kickoff_at"] + timedelta(hours=2)} for row in predictions(unpredicted)]
    announced(unpredicted, moved)
    assert append(unpredicted.settings, moved).n_written == 3
    fed = [row | {"feature_hash": "other", "prediction_id": prediction()["prediction_id"]} for row in moved]
    assert append(unpredicted.settings, fed).n_written == 3


def test_a_challenger_that_becomes_champion_says_so(unpredicted: World):
    append(unpredicted.settings, predictions(unpredicted, "1"))
    append(unpredicted.settings, predictions(unpredicted, "2", role="challenger"))
    append(unpredicted.settings, predictions(unpredicted, "2"))
    said = {(row["model_version"], row["role"]) for row in ledger(unpredicted) if row["forecast"] == "elo"}
    assert said == {("1", "champion"), ("2", "challenger"), ("2", "champion")}


def test_after_a_rollback_the_last_word_is_the_old_models(unpredicted: World):
    for number, version in enumerate(("1", "2", "1", "1")):
        append(unpredicted.settings, predictions(unpredicted, version, run_id=f"run {number}"))
    written = ledger(unpredicted)
    assert [row["model_version"] for row in written if row["forecast"] == "market"] == ["1", "2", "1"]
    assert len(written) == 9


def test_a_model_that_takes_over_from_the_market_speaks_again(unpredicted: World):
    market = RegisteredForecaster(
        "touchline_match_result", "5", Forecaster({"market": Market()}, {}, "market")
    )
    append(unpredicted.settings, predictions(unpredicted, "4", run_id="first"))
    of_market = [
        row
        for row in predictions_of(
            unpredicted.fixtures, unpredicted.read, market, "champion", BEFORE, "fallback"
        )
        if not math.isnan(row["p_home"])
    ]
    append(unpredicted.settings, of_market)
    for run_id in ("rolled back", "again"):
        append(unpredicted.settings, predictions(unpredicted, "4", run_id=run_id))
    said = [
        (row["model_version"], row["forecast"], row["run_id"])
        for row in ledger(unpredicted)
        if (row["home_team"], row["role"]) == ("Arsenal", "champion")
    ]
    assert said == [("4", "elo", "first"), ("5", "market", "fallback"), ("4", "elo", "rolled back")]


def test_challengers_that_speak_side_by_side_do_not_repeat_themselves(unpredicted: World):
    for run_id in ("first", "again"):
        for version in ("2", "3"):
            append(unpredicted.settings, predictions(unpredicted, version, "challenger", run_id=run_id))
    assert [row["run_id"] for row in ledger(unpredicted)] == ["first"] * 4


def test_a_match_that_has_begun_is_refused_and_the_others_are_written(unpredicted: World):
    first, *others = predictions(unpredicted)
    done = append(unpredicted.settings, [first | {"predicted_at": first["kickoff_at"]}, *others])
    assert (done.n_written, done.n_refused_rows) == (2, 1)
    assert [*done.refused.values()] == ["Arsenal against Leeds kicked off at 2022-11-02 15:00 UTC"]
    assert {row["prediction_id"] for row in ledger(unpredicted)} == {
        UUID(row["prediction_id"]) for row in others
    }


def test_live_the_servers_clock_decides_what_has_begun(unpredicted: World):
    now = datetime.now(UTC)
    made = {
        "clock": "live",
        "predicted_at": now - timedelta(hours=2),
        "features_as_of": now - timedelta(hours=3),
    }
    begun, ahead = (
        row | made | {"kickoff_at": now + timedelta(hours=hours)}
        for row, hours in zip(predictions(unpredicted)[:2], (-1, 1), strict=True)
    )
    announced(unpredicted, [begun, ahead])
    done = append(unpredicted.settings, [begun, ahead])
    assert (done.n_written, done.n_refused_rows) == (1, 1)
    assert [str(row["match_id"]) for row in ledger(unpredicted)] == [ahead["match_id"]]


def test_a_row_the_ledger_refuses_takes_the_batch_with_it(unpredicted: World):
    first, *others = predictions(unpredicted)
    with pytest.raises(Exception, match="probabilities_sum_to_one"):
        append(unpredicted.settings, [*others, first | {"p_home": 0.99}])
    assert ledger(unpredicted) == []


def test_a_match_is_learnt_from_as_it_was_predicted(settled: dict[str, Any]):
    """Result, closing prices and a correction came later: the features in the ledger are those of training."""
    settings, later = settled["settings"], NOVEMBER + timedelta(days=12)
    build(settings, later)
    learnt = training_frame(settings, later).set_index("match_id")
    with connect(settings, "model") as connection:
        query = "select match_id::text, features from ledger.prediction where forecast = 'elo' order by kickoff_at"
        predicted = {row["match_id"]: row["features"] for row in rows(connection, query)}
    assert len(predicted) == 2
    served = pd.DataFrame.from_dict(predicted, orient="index", columns=list(FEATURES)).astype("float64")
    assert learnt.loc[served.index, "outcome"].tolist() == [1, 1]
    for group, names in GROUPS.items():
        assert served[list(names)].notna().any(axis=None), group
    pd.testing.assert_frame_equal(
        learnt.loc[served.index, list(FEATURES)], served, check_exact=True, check_names=False
    )


def test_nothing_to_append_is_nothing(season: World):
    assert append(season.settings, []).n_written == 0


def outcomes(settled: dict[str, Any]) -> list[dict[str, Any]]:
    outcomes_of_all = """
        select outcome.*, p_home, p_draw, p_away, forecast, role, home_team, features
        from ledger.prediction_outcome as outcome inner join ledger.prediction using (prediction_id)
        order by forecast, home_team, revision
    """
    with connect(settled["settings"], "api") as connection:
        return rows(connection, outcomes_of_all)


def test_nothing_is_settled_before_its_result_is_known(settled: dict[str, Any]):
    early = settled["too early"]
    assert (early.n_settled, early.n_still_open, early.rps) == (0, 3, None)


def test_settling_scores_every_prediction_once(settled: dict[str, Any]):
    report = settled["results"]
    assert (report.n_settled, report.n_corrected, report.n_still_open, report.n_champion) == (3, 0, 0, 2)
    again = settled["results again"]
    assert (again.n_settled, again.n_corrected) == (0, 0)
    assert "Settled 3 predictions" in report.summary
    first = [row for row in outcomes(settled) if row["revision"] == 1 and row["role"] == "champion"]
    assert report.rps == pytest.approx(np.mean([row["rps"] for row in first]))
    assert report.log_loss == pytest.approx(np.mean([row["log_loss"] for row in first]))


def test_scores_are_those_of_the_formulas(settled: dict[str, Any]):
    won, corrected, drawn = (row for row in outcomes(settled) if row["forecast"] == "elo")
    p = won["p_home"], won["p_draw"], won["p_away"]
    assert won["outcome"] == "home"
    assert won["rps"] == pytest.approx(((p[0] - 1) ** 2 + (p[0] + p[1] - 1) ** 2) / 2)
    assert won["log_loss"] == pytest.approx(-math.log(p[0]))
    assert won["brier"] == pytest.approx((p[0] - 1) ** 2 + p[1] ** 2 + p[2] ** 2)
    assert won["is_correct"] == (max(p) == p[0])
    assert corrected["log_loss"] == pytest.approx(-math.log(p[1]))
    assert drawn["outcome"] == "draw"


def test_a_corrected_result_is_a_new_revision(settled: dict[str, Any]):
    report = settled["correction"]
    assert (report.n_settled, report.n_corrected, settled["correction again"].n_settled) == (2, 2, 0)
    revisions = [
        (row["forecast"], row["revision"], row["home_goals"], row["outcome"])
        for row in outcomes(settled)
        if row["home_team"] == "Arsenal"
    ]
    assert revisions == [
        ("elo", 1, 3, "home"), ("elo", 2, 1, "draw"), ("market", 1, 3, "home"), ("market", 2, 1, "draw"),
    ]  # fmt: skip


def test_a_closing_price_that_comes_after_the_result_is_a_new_revision(unpredicted: World, tmp_path: Path):
    """Results from an API at night, closing prices from a file days later."""
    append(unpredicted.settings, predictions(unpredicted))
    closing = {name: "" for name in PRICED if name.startswith("AvgC")}
    reports = {}
    for name, days, row in (("night", 2, PRICED | closing), ("file", 6, PRICED)):
        as_of = NOVEMBER + timedelta(days=days)
        settings = land(unpredicted.settings, tmp_path, [*OCTOBER, row, UNPRICED | UNPLAYED], as_of)
        build_layer(settings, "core", as_of, "build")
        for run in (name, f"{name} again"):
            report = settle_predictions(settings, virtual_clock(as_of), run)
            reports[run] = (report.n_settled, report.n_corrected, report.n_closing)
    assert reports == {
        "night": (2, 0, 0),
        "night again": (0, 0, 0),
        "file": (2, 0, 2),
        "file again": (0, 0, 0),
    }
    found = outcomes({"settings": settings})
    assert [(row["revision"], row["home_goals"], row["p_closing_home"] is None) for row in found] == [
        (1, 3, True), (2, 3, False),
    ] * 2  # fmt: skip
    assert found[0]["rps"] == found[1]["rps"]
    assert found[1]["closing_line_value"] is not None


@pytest.mark.nightly  # By day: one that comes after the result.
def test_a_closing_price_that_is_corrected_is_a_new_revision(unpredicted: World, tmp_path: Path):
    append(unpredicted.settings, predictions(unpredicted))
    corrected = PRICED | {"AvgCH": "2.10", "AvgCD": "3.40", "AvgCA": "3.60"}
    reports = []
    for days, row in ((2, PRICED), (4, corrected), (6, corrected | {"HS": "30"})):
        as_of = NOVEMBER + timedelta(days=days)
        settings = land(unpredicted.settings, tmp_path, [*OCTOBER, row, UNPRICED | UNPLAYED], as_of)
        build_layer(settings, "core", as_of, "build")
        report = settle_predictions(settings, virtual_clock(as_of), f"settle {days}")
        reports.append((report.n_settled, report.n_corrected, report.n_closing))
    assert reports == [(2, 0, 0), (2, 0, 2), (0, 0, 0)]
    found = outcomes({"settings": settings})
    assert [row["revision"] for row in found] == [1, 2, 1, 2]
    expected = remove_overround(np.array([[2.10, 3.40, 3.60]]))[0]
    for row in found[1::2]:
        assert [row["p_closing_home"], row["p_closing_draw"], row["p_closing_away"]] == pytest.approx(
            expected
        )
    assert found[0]["log_loss"] == found[1]["log_loss"]
    assert found[0]["closing_line_value"] != found[1]["closing_line_value"]


def test_closing_line_value_says_how_far_the_market_came_towards_the_favourite(
    settled: dict[str, Any],
):
    priced = next(row for row in outcomes(settled) if row["home_team"] == "Arsenal")
    closing = remove_overround([[1.95, 3.50, 4.10]])[0]
    early = remove_overround([[1.98, 3.45, 3.95]])[0]
    assert [priced[f"p_closing_{name}"] for name in ("home", "draw", "away")] == pytest.approx(
        closing, abs=1e-6
    )
    favourite = int(np.argmax([priced["p_home"], priced["p_draw"], priced["p_away"]]))
    expected = math.log(closing[favourite] / early[favourite])
    assert priced["closing_line_value"] == pytest.approx(expected, abs=1e-6)


def test_without_prices_there_is_no_closing_line_value(settled: dict[str, Any]):
    unpriced = next(row for row in outcomes(settled) if row["home_team"] == "Fulham")
    assert (unpriced["p_closing_home"], unpriced["closing_line_value"]) == (None, None)
    assert unpriced["rps"] > 0


def test_the_track_record_holds_the_corrected_scores(settled: dict[str, Any]):
    with connect(settled["settings"], "api") as connection:
        record = rows(connection, "select forecast, n, log_loss from analytics.track_record")
    last = {(row["forecast"], row["home_team"]): row["log_loss"] for row in outcomes(settled)}
    for row in record:
        of_forecast = [loss for (forecast, _), loss in last.items() if forecast == row["forecast"]]
        assert (row["n"], row["log_loss"]) == (len(of_forecast), pytest.approx(np.mean(of_forecast)))


def test_forecasts_are_ranked_by_what_they_lose_on_the_same_matches(settled: dict[str, Any]):
    """The market is silent on the match without prices, which its mean over fewer matches does not show."""
    with connect(settled["settings"], "api") as connection:
        found = rows(connection, query("serving/sql/track_record"))
    last = {(row["forecast"], row["home_team"]): row["log_loss"] for row in outcomes(settled)}
    behind = last["market", "Arsenal"] - last["elo", "Arsenal"]
    expected = sorted([(0.0, "elo", 2, 2), (behind, "market", 1, 1)])
    told = [
        (row["log_loss_behind_champion"], row["forecast"], row["n"], row["n_with_champion"]) for row in found
    ]
    assert [row[1:] for row in told] == [row[1:] for row in expected]
    assert [row[0] for row in told] == pytest.approx([row[0] for row in expected])


def used(settings: Settings, features: dict[str, float], number: int) -> dict[str, Any]:
    """A champion's prediction of a match in the first days of November."""
    return {
        "match_id": f"00000000-0000-0000-0000-{number:012d}", "home_team": f"team {number}",
        "kickoff_at": KICKOFF + timedelta(hours=number), "predicted_at": NOVEMBER, "features_as_of": NOVEMBER,
        "model_name": settings.model_name, "features": features,
    }  # fmt: skip


def test_features_unlike_those_the_champion_learnt_from_are_drift_and_looked_at_once_a_week(
    settled: dict[str, Any],
):
    loose = {"drift": Drift(fewest_matches=10, false_alarms=0.9)}
    settings = settled["settings"].model_copy(update=loose)
    trained = [TrainedVersion("1", NOVEMBER, NOVEMBER - timedelta(days=1))]
    with unchecked(settings) as connection:
        for number in range(60):
            insert_prediction(connection, **used(settings, dict.fromkeys(FEATURES, 1e4), number))
    monday = virtual_clock(datetime(2022, 11, 7, 8, tzinfo=UTC))
    report = judge_drift(settings, monday, "drift", trained)
    found = {each.subject: each for each in report.findings}
    assert set(found) == set(COMPARED)
    assert {"home_elo", "away_points_5", "market_price_home"} <= {each.subject for each in report.alarms}
    assert found["home_elo"].detail["ks_distance"] == 1
    assert found["home_elo"].n_matches == 60
    tuesday = virtual_clock(monday.as_of + timedelta(days=1))
    assert judge_drift(settings, tuesday, "again", trained) == replace(
        report, as_of=tuesday.as_of.isoformat()
    )
    with connect(settings, "model") as connection:
        runs = rows(connection, "select distinct run_id from ops.drift_metric where metric = 'feature_drift'")
    assert runs == [{"run_id": "drift"}]
    # An alarm of the week stands until a training has followed it.
    followed = [*trained, TrainedVersion("2", monday.as_of, NOVEMBER)]
    assert judge_drift(settings, tuesday, "again", followed).alarms == ()
    with unchecked(settings) as connection:
        insert_prediction(
            connection, **used(settings, {}, 99)
            | {"model_version": "2", "kickoff_at": tuesday.as_of, "predicted_at": monday.as_of}
        )  # fmt: skip
    answered = judge_drift(settings, tuesday, "again", followed)
    assert (answered.alarms, "feature_drift" in answered.not_judged) == ((), True)
