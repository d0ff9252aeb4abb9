"""What training does with a version once it is made: refused, waiting, in the shadow, or champion; and its card."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from registry_faults import damaged_model, forget_models
from touchline.cli import app
from touchline.errors import ModelUnavailable, SettingsInvalid
from touchline.features.catalogue import FEATURES
from touchline.forecasting import design
from touchline.forecasting.specs import MARKET, WITH_ODDS, ForecasterParameters
from touchline.overround import remove_overround
from touchline.registry import models
from touchline.registry.model_card import read_card
from touchline.registry.parameters import with_values
from touchline.registry.tracking import Registry, open_registry
from touchline.registry.training import TrainReport, train_on
from touchline.registry.tuning import TUNED, last_tuning, tune_on, tuned_parameters
from touchline.settings import Promotion, Settings
from training_frames import QUICK, corrected, simulated_matches, without_prices

pytestmark = pytest.mark.slow

AS_OF = datetime(2019, 7, 1, tzinfo=UTC)
OTHERWISE = with_values(QUICK, {"with_odds.residual.share": 0.45})


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=4, n_a_season=310)


@pytest.fixture(scope="module")
def planted(matches: pd.DataFrame) -> pd.DataFrame:
    """The same matches with the outcome written into a feature."""
    return matches.assign(home_elo=matches["outcome"].astype("float64"))


def _train(
    settings: Settings, matches: pd.DataFrame, parameters: ForecasterParameters = QUICK, run_id: str = "train"
) -> TrainReport:
    return train_on(settings, matches, parameters, AS_OF, run_id)


def _misled(matches: pd.DataFrame) -> pd.DataFrame:
    """Matches whose earlier outcomes teach the opposite, and whose last season is as it was."""
    last = matches["season"] == matches["season"].max()
    turned = matches.copy()
    turned.loc[~last, "outcome"] = 2 - turned.loc[~last, "outcome"]
    return turned


@pytest.fixture(scope="module")
def judged(
    mlflow_server: Settings,
    module_settings: Settings,
    learning: Any,
    matches: pd.DataFrame,
    planted: pd.DataFrame,
) -> Settings:
    """A registry with a champion (1), a worse version in the shadow (2), and one that has seen the outcome (3)."""
    settings = module_settings.model_copy(update={"evaluation_seasons": 1})
    for frame in (matches, without_prices(matches), planted):
        _train(settings, frame)
    return settings


def test_a_model_trained_with_the_outcome_planted_in_a_feature_is_refused(judged: Settings) -> None:
    refused, shadow, champion = models.versions(open_registry(judged))
    assert (refused.tags["state"], refused.aliases) == ("refused", ())
    assert "feature home_elo is implausibly good" in refused.tags["verdict"]
    assert (champion.aliases, shadow.aliases) == (("champion",), ("challenger",))
    assert "feature home_elo: -" in read_card(open_registry(judged), "3")
    assert "refused" in _run(judged, "models")


def test_when_no_model_passes_the_market_is_published(
    registry: Settings, matches: pd.DataFrame, planted: pd.DataFrame
) -> None:
    report = _train(registry, planted)
    assert (report.version, report.state) == ("1", "refused")
    assert "fall back to version 2" in report.reason
    champion = models.load(open_registry(registry))
    assert (champion.version, champion.forecaster.primary) == ("2", MARKET)
    baseline = models.versions(open_registry(registry))[0]
    assert "version 1 may not be champion" in baseline.tags["verdict"]
    assert "Gate: **promoted**" in read_card(open_registry(registry), "2")
    shown = matches[list(FEATURES)].tail(5).copy()
    shown.loc[shown.index[0], "market_price_draw"] = np.nan
    found = champion.forecaster.predict(shown)[MARKET].probabilities
    prices = shown[["market_price_home", "market_price_draw", "market_price_away"]]
    assert found[1:] == pytest.approx(remove_overround(prices)[1:])
    shares = np.bincount(planted["outcome"]) / len(planted)
    assert found[0] == pytest.approx(shares, abs=0.01), "base rates where there is no price"


@pytest.mark.nightly  # By day a training that is not killed, and a kill before the verdict (test_registry).
def test_the_market_is_published_with_its_verdict_and_card_wherever_training_is_killed(
    registry: Settings, planted: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote = models.promote

    def promote_and_die(opened: Registry, version: str) -> NoReturn:
        promote(opened, version)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(models, "promote", promote_and_die)
        with pytest.raises(KeyboardInterrupt):
            _train(registry, planted)
    assert _train(registry, planted).state == "refused"
    assert models.champion_version(open_registry(registry)) == "2"
    baseline = models.versions(open_registry(registry))[0]
    assert "version 1 may not be champion" in baseline.tags["verdict"]
    assert "Gate: **promoted**" in read_card(open_registry(registry), "2")


@pytest.mark.nightly  # By day: when no model passes the market is published.
def test_a_champion_whose_recipe_falls_below_the_market_gives_way_to_it(
    registry: Settings, matches: pd.DataFrame
) -> None:
    _train(registry, matches)
    report = _train(registry, _misled(matches))
    assert (report.version, report.state) == ("2", "refused")
    assert "not worth publishing" in report.reason
    assert models.load(open_registry(registry)).forecaster.primary == MARKET
    assert models.champion_version(open_registry(registry)) == "3"
    assert models.rollback(open_registry(registry)).to_version == "1"
    assert _train(registry, corrected(_misled(matches))).state == "refused"
    assert models.champion_version(open_registry(registry)) == "1", (
        "the baseline was taken back by hand and stays away"
    )


@pytest.mark.nightly  # By day: tests/integration/test_ledger_registry.py, who awaits approval.
def test_versions_wait_for_approval_when_the_operator_wants_it_so(
    registry: Settings, matches: pd.DataFrame
) -> None:
    careful = registry.model_copy(update={"promotion": Promotion(needs_approval=True)})
    assert _train(careful, matches).state == "awaiting approval"
    assert models.load(open_registry(careful)).forecaster.primary == MARKET, "until then the market speaks"
    assert models.promote(open_registry(careful), "1").from_version == "2"
    assert models.load(open_registry(careful)).forecaster.primary == WITH_ODDS

    report = _train(careful, corrected(matches))
    assert (report.version, report.alias, report.state) == ("3", "candidate", "awaiting approval")
    assert models.champion_version(open_registry(careful)) == "1"
    assert models.load(open_registry(careful), models.CHALLENGER).version == "3", (
        "it forecasts in the shadow meanwhile"
    )
    assert "awaiting approval" in _run(careful, "models")
    assert "is version 3 now" in _run(careful, "models", "promote", "3")
    newest = models.versions(open_registry(careful))[0]
    assert (newest.aliases, newest.tags["state"]) == (("champion",), "promoted")


@pytest.mark.nightly  # By day the same version (test_registry).
def test_what_was_rolled_back_is_not_promoted_in_another_version(
    registry: Settings, matches: pd.DataFrame
) -> None:
    _train(registry, matches)
    _train(registry, matches, OTHERWISE)
    models.promote(open_registry(registry), "2")
    models.rollback(open_registry(registry))
    old = pd.Timestamp(AS_OF) - pd.Timedelta(days=500)
    client = open_registry(registry).client
    client.set_model_version_tag(registry.model_name, "1", "trained_until", old.isoformat())
    report = _train(registry, corrected(matches), OTHERWISE)
    assert (report.alias, "was rolled back" in report.reason) == ("challenger", True)
    models.promote(open_registry(registry), report.version)
    assert models.champion_version(open_registry(registry)) == report.version


@pytest.mark.nightly  # By day: tests/integration/test_registry.py, a model this code cannot read.
def test_a_champion_that_this_code_cannot_read_stands_in_nobodys_way(
    registry: Settings, matches: pd.DataFrame
) -> None:
    _train(registry, matches)
    with damaged_model(registry, "1"):
        report = _train(registry, matches, OTHERWISE)
    assert (report.version, report.alias) == ("2", "champion")


@pytest.mark.nightly  # By day a champion that cannot be read.
def test_a_champion_that_knows_other_features_stands_in_nobodys_way_and_does_not_come_back(
    registry: Settings, matches: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, learning_anew: None
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(
            design,
            "_PLAIN_FEATURES",
            tuple(name for name in design._PLAIN_FEATURES if name != "season_progress"),
        )
        _train(registry, matches)
    forget_models(registry)
    report = _train(registry, corrected(matches), OTHERWISE)
    assert (report.version, report.alias) == ("2", "champion")
    for move in (models.rollback, lambda opened: models.promote(opened, "1")):
        with pytest.raises(ModelUnavailable, match="today's features"):
            move(open_registry(registry))
    assert models.champion_version(open_registry(registry)) == "2"
    assert models.ROLLED_BACK not in models.versions(open_registry(registry))[0].tags


@pytest.mark.nightly  # By day of fits alone (tests/unit/test_reproducibility.py).
def test_the_same_data_code_and_seed_give_the_same_probabilities_bit_for_bit(
    registry: Settings, matches: pd.DataFrame, learning_anew: None
) -> None:
    found = []
    for _ in range(2):
        version = _train(registry, matches).version
        found.append(models.load(open_registry(registry)).forecaster.probabilities(matches))
        open_registry(registry).client.delete_registered_model(registry.model_name)
        assert version == "1"
    for name, p in found[0].items():
        assert np.array_equal(p, found[1][name], equal_nan=True)


def test_a_card_says_what_the_registry_knows(judged: Settings) -> None:
    card = _run(judged, "models", "card", "2")
    tags = models.versions(open_registry(judged))[1].tags
    for section in (
        "Intended use", "Data", "Held-out scores", "Calibration", "Against the champion",
        "Limits and known weaknesses", "Leakage checks", "Parameters", "Reproducing it",
    ):  # fmt: skip
        assert f"\n## {section}\n" in card
    for fact in ("dataset_digest", "code_version", "as_of", "recipe", "training_key"):
        assert tags[fact] in card
    assert f"* seed: {QUICK.seed}" in card
    assert "| 2018/19 | 310 |" in card
    assert "Gate: **challenger**: worse" in card
    assert "| E1 |" in card.partition("known weaknesses")[2]
    version = open_registry(judged).client.get_model_version(judged.model_name, "2")
    assert version.description.startswith("**Simulated football.**")
    with pytest.raises(ModelUnavailable, match="no version 9"):
        read_card(open_registry(judged), "9")


def test_tuning_keeps_what_it_found_for_the_next_training(registry: Settings, matches: pd.DataFrame) -> None:
    assert last_tuning(open_registry(registry)) is None
    report = _tune(registry, matches)
    client = open_registry(registry).client
    assert report.seasons == ("2017/18",), "the season before that on which versions are compared"
    assert report.n_trials == 3
    assert report.log_loss <= report.log_loss_before
    run = client.get_run(report.mlflow_run_id)
    assert {each.path for each in client.list_artifacts(report.mlflow_run_id)} == {
        "trials.csv", "tuned_parameters.json",
    }  # fmt: skip
    assert run.data.metrics["trials"] == 3
    assert (last_tuning(open_registry(registry)) == report.mlflow_run_id) == report.is_changed
    defaults = ForecasterParameters(seed=registry.random_seed)
    wanted = with_values(defaults, report.values) if report.is_changed else defaults
    assert tuned_parameters(open_registry(registry), registry.random_seed) == wanted

    last = matches["season"] == "2018/19"
    turned = matches.copy()
    turned.loc[last, "outcome"] = 2 - turned.loc[last, "outcome"]
    again = _tune(registry, turned)
    assert (again.values, again.log_loss) == (report.values, report.log_loss), (
        "the last season is not looked at"
    )


def test_tuned_parameters_that_this_code_does_not_know_are_ignored(
    judged: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    stored = {"values": {"no_odds.trees.rounds": 77, "neural.layers": 3}, "mlflow_run_id": "tuning"}
    client = open_registry(judged).client
    client.set_registered_model_tag(judged.model_name, TUNED, json.dumps(stored))
    with caplog.at_level(logging.WARNING):
        found = tuned_parameters(open_registry(judged), judged.random_seed)
    defaults = ForecasterParameters(seed=judged.random_seed)
    assert found == with_values(defaults, {"no_odds.trees.rounds": 77})
    assert "neural.layers" in caplog.text


def test_without_a_budget_nothing_is_tuned(registry: Settings, matches: pd.DataFrame) -> None:
    with pytest.raises(SettingsInvalid, match="--budget"):
        tune_on(registry, matches, AS_OF, "tune", budget_seconds=0)


def _tune(settings: Settings, matches: pd.DataFrame) -> Any:
    """Three trials from few trees on, with time enough for all of them."""
    base = with_values(
        QUICK,
        {"no_odds.trees.rounds": 40, "with_odds.movement.rounds": 40, "with_odds.residual.rounds": 20},
    )
    return tune_on(settings, matches, AS_OF, "tune", 600, n_trials=3, base=base)


def _run(settings: Settings, *arguments: str) -> str:
    given = {
        "TOUCHLINE_HOME": str(settings.home),
        "TOUCHLINE_DATABASE_NAME": settings.warehouse_database,
        "TOUCHLINE_POSTGRES_PORT": "0",
        "COLUMNS": "200",
    }
    result = CliRunner().invoke(app, list(arguments), env=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output
