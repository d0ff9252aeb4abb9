"""From the registry to the ledger: what `predict_matches` writes as models come, are promoted and are taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner

from databases import copy_of
from registry_faults import forget_models, raising
from served_world import NOW as NOVEMBER
from touchline import cli
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows, scalar
from touchline.errors import (
    CompetitionHeld,
    FeaturesUnavailable,
    FixtureAlreadyKickedOff,
    MatchUnknown,
    ServiceFailed,
    WarehouseNotBuilt,
)
from touchline.features.catalogue import FEATURES
from touchline.features.store import publish_features
from touchline.ledger.predict import PredictReport, predict_matches
from touchline.ledger.settle import settle_predictions
from touchline.operations import due, names, records
from touchline.operations.pipeline import Run, run_step
from touchline.operations.steps import STEPS
from touchline.quality import gates
from touchline.quality.holds import Breach, keep_holds, release
from touchline.registry import models
from touchline.registry.approval import (
    ASKED,
    Candidate,
    note_asked,
    promote_approved,
    waiting_candidate,
)
from touchline.registry.tracking import open_registry
from touchline.registry.training import train_on
from touchline.registry.tuning import last_tuning
from touchline.settings import Promotion, Settings
from training_frames import QUICK, simulated_matches

pytestmark = pytest.mark.slow

NOW = virtual_clock(NOVEMBER)


@dataclass(frozen=True)
class History:
    """A warehouse whose models came and went: the report of each prediction, and who was shown afterwards."""

    settings: Settings
    reports: dict[str, PredictReport] = field(default_factory=dict)
    shown: dict[str, set[str]] = field(default_factory=dict)

    def predict(self, name: str) -> None:
        self.reports[name] = predict_matches(self.settings, NOW, f"predict {name}")
        with connect(self.settings, "api") as connection:
            found = rows(connection, "select model_version from analytics.upcoming_predictions")
        self.shown[name] = {row["model_version"] for row in found}


@pytest.fixture(scope="module")
def history(mlflow_server: Settings, fixtures_ahead: Settings) -> Iterator[History]:
    with copy_of(fixtures_ahead) as copy:
        # The third fixture kicks off a day beyond the horizon.
        yield _told(copy.model_copy(update={"evaluation_seasons": 1, "horizon_days": 2}))


def _told(settings: Settings) -> History:
    publish_features(settings, NOVEMBER, "build")
    history = History(settings)
    history.predict("without a champion")
    matches = simulated_matches(n_seasons=2, n_a_season=310)
    for seed in (1, 2):
        train_on(settings, matches, replace(QUICK, seed=seed), NOVEMBER, f"train {seed}")
    # Whatever the gate made of the second: the first is champion, and nobody challenges it yet.
    client = open_registry(settings).client
    client.set_registered_model_alias(settings.model_name, models.CHAMPION, "1")
    client.delete_registered_model_alias(settings.model_name, models.CHALLENGER)
    for name in ("first", "again"):
        history.predict(name)
    client.set_registered_model_alias(settings.model_name, models.CHALLENGER, "2")
    history.predict("with a challenger")
    models.promote(open_registry(settings), "2")
    history.predict("promoted")
    models.rollback(open_registry(settings))
    history.predict("rolled back")
    history.predict("rolled back, again")
    # Without a champion, a training that the gate refuses leaves the market to speak.
    client.delete_registered_model_alias(settings.model_name, models.CHAMPION)
    train_on(
        settings, matches.assign(season_progress=matches["outcome"] * 1.0), QUICK, NOVEMBER, "train planted"
    )
    history.predict("without a model")
    models.promote(open_registry(settings), "1")
    return history


def ledger(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "api") as connection:
        return rows(connection, "select * from ledger.prediction order by prediction_id")


def fixture_id(settings: Settings, home_team: str) -> str:
    query = "select match_id::text from core.match where home_team = %s and not is_played"
    with connect(settings, "model") as connection:
        return str(scalar(connection, query, (home_team,)))


def test_without_a_champion_nothing_happens_and_the_report_says_why(history: History):
    report = history.reports["without a champion"]
    assert (report.model_version, report.n_written) == (None, 0)
    assert "train_models" in report.summary


def test_every_fixture_of_the_horizon_is_predicted_from_the_online_store(history: History):
    report = history.reports["first"]
    assert (report.n_fixtures, report.n_written, report.n_already_there, report.n_refused) == (2, 7, 0, 0)
    # The market has nothing to say about the match without prices.
    assert report.n_without_forecast == 1
    assert (report.model_version, report.feature_store) == ("1", "online")
    written = [row for row in ledger(history.settings) if row["run_id"] == "predict first"]
    assert {(row["forecast"], row["role"]) for row in written} == {
        (name, "champion" if name == "with_odds" else "baseline")
        for name in ("with_odds", "no_odds", "elo", "market")
    }
    assert {row["home_team"] for row in written} == {"Leeds", "Fulham"}
    assert {row["features_as_of"] for row in written} == {NOVEMBER}


def test_predicting_again_adds_nothing(history: History):
    report = history.reports["again"]
    assert (report.n_written, report.n_already_there) == (0, 7)


def test_a_challenger_speaks_in_the_shadow(history: History):
    report = history.reports["with a challenger"]
    assert (report.n_written, report.n_already_there) == (2, 7)
    written = [row for row in ledger(history.settings) if row["run_id"] == "predict with a challenger"]
    assert {(row["model_version"], row["role"], row["forecast"]) for row in written} == {
        ("2", "challenger", "with_odds")
    }
    assert history.shown["with a challenger"] == {"1"}


@contextmanager
def challenged(settings: Settings, **versions: str) -> Iterator[None]:
    """For a while other versions have the aliases."""
    client = open_registry(settings).client
    for alias, version in versions.items():
        client.set_registered_model_alias(settings.model_name, alias, version)
    yield
    for alias in versions:
        client.delete_registered_model_alias(settings.model_name, alias)


def test_a_challenger_that_fails_costs_the_champion_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
):
    forget_models(history.settings)
    models.load(open_registry(history.settings))
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", raising(requests.ConnectionError("reset")))
    with challenged(history.settings, challenger="2"):
        report = predict_matches(history.settings, NOW, "predict without a challenger")
    assert (report.model_version, report.n_written + report.n_already_there) == ("1", 7)
    assert "challenger: version 2 forecasts nothing: ServiceFailed" in report.summary


def test_a_challenger_that_breaks_the_gate_holds_nothing_and_loses_its_own_rows(
    history: History, monkeypatch: pytest.MonkeyPatch
):
    import great_expectations.expectations as gxe

    (suite,) = gates.prediction_suites()
    block = {"severity": "block"}
    strict = replace(
        suite,
        expectations=lambda: [
            gxe.ExpectColumnValuesToBeInSet(column="role", value_set=["champion", "baseline"], meta=block)
        ],
    )
    monkeypatch.setattr(gates, "prediction_suites", lambda: [strict])
    with challenged(history.settings, challenger="2"):
        report = predict_matches(history.settings, NOW, "predict with a broken challenger")
    assert (report.n_written + report.n_already_there, report.held) == (7, ())
    assert "challenger: version 2: 2 of 2 predictions left out: predictions_challenger.role" in report.summary


def test_a_build_that_was_trained_on_already_answers_an_alarm(history: History):
    settings, later = history.settings, NOVEMBER + timedelta(hours=1)
    with connect(settings, "ingest") as connection:
        inputs = {
            "build": records.last_inputs(connection, names.BUILT),
            "tuning": last_tuning(open_registry(settings)),
        }
    with records.recorded(settings, "train", "train", NOVEMBER) as detail:
        detail["inputs"] = inputs
    assert run_step(settings, STEPS["train"], "train for an alarm", later).is_repeat
    trained = models.trained_versions(open_registry(settings))
    assert {each.as_of for each in trained} == {NOVEMBER}
    assert [each.version for each in trained if each.confirmed_as_of == later] == ["4"]


def test_a_new_challenger_is_something_new_to_predict_with(history: History):
    with connect(history.settings, "ingest") as connection:
        alone = due.prediction_inputs(open_registry(history.settings), connection, NOVEMBER)
        with challenged(history.settings, challenger="2"):
            in_company = due.prediction_inputs(open_registry(history.settings), connection, NOVEMBER)
    assert (alone["challengers"], in_company) == ([], alone | {"challengers": ["2"]})


def test_a_released_competition_is_something_new_to_predict(history: History):
    registry = open_registry(history.settings)
    with connect(history.settings, "ingest") as connection:
        free = due.prediction_inputs(registry, connection, NOVEMBER)
        breach = Breach("E0", ("core", "suite", "expectation", ""), frozenset({"E0 row"}), "why")
        keep_holds(connection, "core", [breach], None, NOVEMBER, "hold")
        held = due.prediction_inputs(registry, connection, NOVEMBER)
        keep_holds(connection, "core", [], None, NOVEMBER, "pass")
        assert due.prediction_inputs(registry, connection, NOVEMBER) == free
        connection.rollback()
    assert held == free | {"held": ["E0"]}


def test_who_awaits_approval_speaks_beside_the_newest_challenger(history: History):
    reports = [predict_matches(history.settings, NOW, "predict")]
    with challenged(history.settings, candidate="3", challenger="2"):
        assert models.challenger_versions(open_registry(history.settings)) == ("3", "2")
        reports += [predict_matches(history.settings, NOW, f"predict shadows {number}") for number in (1, 2)]
    assert [report.n_written for report in reports[1:]] == [2, 0]
    written = [row for row in ledger(history.settings) if row["run_id"] == "predict shadows 1"]
    assert {(row["model_version"], row["role"]) for row in written} == {("3", "challenger")}


def test_an_approved_version_is_promoted_only_while_it_waits(history: History):
    registry = open_registry(history.settings)
    before = models.champion_version(registry)
    assert before is not None
    with challenged(history.settings, candidate="3"):
        assert waiting_candidate(registry) == Candidate("3", was_asked=False)
        refused = promote_approved(registry, "2")
        assert not refused.is_promoted
        assert "Version 2 does not wait for approval any more (version 3 does)" in refused.summary
        assert promote_approved(registry, "3").is_promoted
        assert models.champion_version(registry) == "3"
        again = promote_approved(registry, "3")
        assert (again.is_promoted, waiting_candidate(registry)) == (False, None)
        assert "the champion is version 3" in again.summary
    models.promote(registry, before)


def test_a_version_that_waits_is_news_until_a_person_was_asked_and_only_where_one_is_to_be(history: History):
    careful = history.settings.model_copy(update={"promotion": Promotion(needs_approval=True)})
    registry = open_registry(careful)

    def news(settings: Settings) -> set[str]:
        return set(STEPS["train"].news(Run(settings, "train", NOW), None)) & {names.CANDIDATE}

    with challenged(careful, candidate="3"):
        assert news(history.settings) == set()
        assert news(careful) == {names.CANDIDATE}
        note_asked(registry, "3")
        assert news(careful) == set()
    registry.client.delete_model_version_tag(registry.model_name, "3", ASKED)


def test_a_promoted_model_is_shown_and_after_a_rollback_the_old_one_again(history: History):
    assert (history.shown["promoted"], history.shown["rolled back"]) == ({"2"}, {"1"})
    assert (history.reports["promoted"].n_written, history.reports["rolled back"].n_written) == (7, 7)
    assert history.reports["rolled back, again"].n_written == 0


def test_without_a_model_that_passes_the_market_is_written_and_shown_as_champion(history: History):
    report = history.reports["without a model"]
    assert (report.model_version, report.n_written, report.n_without_forecast) == ("4", 2, 0)
    written = [row for row in ledger(history.settings) if row["run_id"] == "predict without a model"]
    assert {(row["role"], row["forecast"], row["home_team"]) for row in written} == {
        ("champion", "market", "Leeds"), ("champion", "market", "Fulham"),
    }  # fmt: skip
    assert history.shown["without a model"] == {"4"}


def test_a_champion_that_cannot_be_downloaded_is_no_missing_champion(
    history: History, monkeypatch: pytest.MonkeyPatch
):
    forget_models(history.settings)
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", raising(requests.ConnectionError("reset")))
    with pytest.raises(ServiceFailed, match="could not be downloaded"):
        predict_matches(history.settings, NOW, "predict without a store")


def test_one_match_can_be_asked_for_beyond_the_horizon(history: History):
    wanted = fixture_id(history.settings, "Burnley")
    report = predict_matches(history.settings, NOW, "predict one", wanted)
    # Prices of the weekend's matches are collected on Friday, so the market says nothing.
    assert (report.n_fixtures, report.n_written, report.n_without_forecast) == (1, 3, 1)


def test_a_match_that_has_begun_is_refused_by_name(history: History):
    later = virtual_clock(datetime(2022, 11, 2, 15, tzinfo=UTC))
    wanted = fixture_id(history.settings, "Leeds")
    before = ledger(history.settings)
    with pytest.raises(FixtureAlreadyKickedOff, match="Leeds against Arsenal kicked off at 2022-11-02T15:00"):
        predict_matches(history.settings, later, "predict late", wanted)
    assert ledger(history.settings) == before


@pytest.mark.parametrize("wanted", ["00000000-0000-0000-0000-000000000009", "Leeds against Arsenal"])
def test_an_unknown_match_is_said_to_be_unknown(history: History, wanted: str):
    with pytest.raises(MatchUnknown, match=r"core\.match"):
        predict_matches(history.settings, NOW, "predict unknown", wanted)


def test_features_that_know_more_than_the_run_are_refused(history: History):
    earlier = virtual_clock(NOVEMBER - timedelta(hours=2))
    before = ledger(history.settings)
    with pytest.raises(FeaturesUnavailable, match="know more than this run"):
        predict_matches(history.settings, earlier, "predict earlier")
    assert ledger(history.settings) == before


def test_a_failing_gate_holds_the_competition_and_writes_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
):
    import great_expectations.expectations as gxe

    (suite,) = gates.prediction_suites()
    strict = replace(
        suite,
        expectations=lambda: [
            *suite.expectations(),
            gxe.ExpectColumnValuesToBeBetween(column="p_home", max_value=0.01, meta={"severity": "block"}),
        ],
    )
    monkeypatch.setattr(gates, "prediction_suites", lambda: [strict])
    before = ledger(history.settings)
    # The model is promoted to have something new to say.
    models.promote(open_registry(history.settings), "2")
    try:
        report = predict_matches(history.settings, NOW, "predict blocked")
        assert (report.n_fixtures, report.n_written) == (2, 0)
        assert "held: E0 (2 fixtures): predictions.p_home" in report.summary
        wanted = fixture_id(history.settings, "Leeds")
        with pytest.raises(CompetitionHeld, match="touchline quality holds"):
            predict_matches(history.settings, NOW, "predict one", wanted)
    finally:
        models.promote(open_registry(history.settings), "1")
    assert ledger(history.settings) == before
    release(history.settings, "E0", "the expectation was made up", NOW.as_of, "release")
    with connect(history.settings, "model") as connection:
        passed = scalar(
            connection,
            "select success from ops.quality_result where run_id = 'predict blocked' and suite = 'gate'",
        )
    assert passed is False


def test_what_was_never_built_is_said_so(settings: Settings):
    with pytest.raises(WarehouseNotBuilt, match="touchline build"):
        settle_predictions(settings, NOW, "settle")


@pytest.fixture
def run(history: History, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command as of the second of November on the history's warehouse."""
    for name, value in history.settings.model_copy(update={"as_of": NOVEMBER}).environment().items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Any:
        return CliRunner().invoke(cli.app, list(arguments))

    return invoke


def test_the_command_predicts_and_shows_probabilities_that_sum_to_one(run: Any):
    result = run("predict")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if "Arsenal" in line]
    assert "Wed 02 Nov 15:00" in line
    assert "1.000" in line
    assert "already there" in result.output
    report = json.loads(run("--json", "predict").stdout)
    assert (report["n_fixtures"], report["n_written"]) == (2, 0)


def test_the_command_settles(run: Any):
    result = run("settle")
    assert result.exit_code == 0, result.output
    assert "wait for their result" in result.output
    assert json.loads(run("--json", "settle").stdout)["n_settled"] == 0


def test_the_command_tells_what_every_feature_is_to_the_champion(run: Any, tmp_path: Path):
    found = {entry["name"]: entry for entry in json.loads(run("--json", "features").stdout)}
    assert tuple(found) == FEATURES
    assert set(found["home_elo"]["importance"]) == {"no_odds", "with_odds"}
    assert found["market_price_home"]["missing"] == 0
    # One team's first match was at home, that of the five others away.
    assert (found["home_elo"]["missing"], found["away_elo"]["missing"]) == (1 / 15, 5 / 15)
    page = tmp_path / "features.md"
    result = run("features", "--markdown", str(page))
    assert result.exit_code == 0, result.output
    assert "15 matches in 1 competitions" in page.read_text(encoding="utf-8")
    assert "definition" in run("features").output


def test_the_command_looks_for_drift_and_says_what_it_cannot_judge_yet(run: Any):
    result = run("drift")
    assert result.exit_code == 0, result.output
    assert "Too few matches to judge: feature_drift, calibration" in result.output
    report = json.loads(run("--json", "drift").stdout)
    assert (report["findings"], report["latest"]) == ([], [])


def test_the_command_checks_a_gate_and_shows_every_expectation(run: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOUCHLINE_DATA_DOCS", "true")
    result = run("quality", "check", "core")
    assert result.exit_code == 0, result.output
    assert "core_consensus" in result.output
    assert "touchline quality docs" in result.output
    assert run("quality", "check", "kitchen").exit_code == 2
