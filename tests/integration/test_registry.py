"""Training, promotion and rollback against a real MLflow server on the test PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from mlflow.exceptions import MlflowException
from typer.testing import CliRunner

from databases import copy_of
from loaded_modules import loaded_by, packages
from registry_faults import damaged_model, forget_models, put_back, raising
from season_folder import write_season_folder
from touchline.cli import app
from touchline.clock import virtual_clock
from touchline.errors import ModelUnavailable, ServiceFailed
from touchline.features.catalogue import FEATURES
from touchline.forecasting.specs import (
    MARKET,
    MARKET_CLOSING,
    MARKET_PREMATCH,
    NO_ODDS,
    WITH_ODDS,
    ForecasterParameters,
    evaluated,
)
from touchline.forecasting.walk_forward import probability_columns
from touchline.landing.collect import collect
from touchline.registry import models
from touchline.registry.parameters import with_values
from touchline.registry.promotion import walk_forward_of
from touchline.registry.tracking import open_registry
from touchline.registry.training import TrainReport, train, train_on
from touchline.registry.tuning import TUNED
from touchline.settings import Settings
from training_frames import QUICK, corrected, simulated_matches, without_prices
from warehouse import build

pytestmark = pytest.mark.slow

AS_OF = datetime(2019, 7, 1, tzinfo=UTC)
OTHERWISE = with_values(QUICK, {"with_odds.residual.share": 0.45})


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=4, n_a_season=310)


@pytest.fixture(scope="module")
def trained(
    mlflow_server: Settings, learning: Any, module_settings: Settings, matches: pd.DataFrame
) -> tuple[Settings, TrainReport]:
    """A registry with one version, for tests that only read it."""
    settings = module_settings.model_copy(update={"evaluation_seasons": 1})
    return settings, _train(settings, matches)


def _train(
    settings: Settings,
    matches: pd.DataFrame,
    parameters: ForecasterParameters = QUICK,
    run_id: str = "train-1",
) -> TrainReport:
    return train_on(settings, matches, parameters, AS_OF, run_id)


def test_the_first_version_is_champion_and_forecasts(
    trained: tuple[Settings, TrainReport], matches: pd.DataFrame
) -> None:
    registry, report = trained
    assert (report.version, report.alias, report.is_reused) == ("1", "champion", False)
    assert report.primary == WITH_ODDS
    assert "there was no champion" in report.summary
    champion = models.load(open_registry(registry))
    assert (champion.name, champion.version) == (registry.model_name, "1")
    assert models.champion_version(open_registry(registry)) == "1"
    found = champion.forecaster.predict(matches[list(FEATURES)].tail(5))
    assert set(found) == {WITH_ODDS, NO_ODDS, "elo", "market"}
    assert np.abs(found[WITH_ODDS].probabilities.sum(axis=1) - 1).max() < 1e-9


def test_a_run_holds_everything_about_the_model(
    trained: tuple[Settings, TrainReport], matches: pd.DataFrame
) -> None:
    registry, report = trained
    client = open_registry(registry).client
    run = client.get_run(report.mlflow_run_id)
    assert run.data.params["no_odds.trees.rounds"] == str(QUICK.no_odds.trees.rounds)
    for name in {*evaluated(), MARKET_PREMATCH, MARKET_CLOSING} - {MARKET}:
        assert {f"{name}.rps", f"{name}.log_loss", f"{name}.ece"} <= set(run.data.metrics)
    assert "with_odds minus market_prematch.log_loss.high" in run.data.metrics
    tags = run.data.tags
    assert tags["is_simulated"] == "false" if not registry.is_simulated else "true"
    assert tags["trained_until"] == matches["kickoff_at"].max().isoformat()
    assert tags["competitions"] == "E0,E1"
    assert len(tags["dataset_digest"]) == 64
    assert tags["code_version"].startswith("0.")
    assert _files(client, report.mlflow_run_id) >= {
        "plots/reliability.png", "plots/skill_by_season.png", "evaluation.json", "features.json", "leakage.json",
        "model_card.md", "predictions/walk_forward.parquet",
    }  # fmt: skip


def test_the_registered_model_answers_through_mlflow_alone(
    trained: tuple[Settings, TrainReport], matches: pd.DataFrame
) -> None:
    registry, report = trained
    open_registry(registry)
    import mlflow

    model = mlflow.pyfunc.load_model(f"models:/{registry.model_name}@champion")
    assert [column.name for column in model.metadata.get_input_schema()] == list(FEATURES)
    answer = model.predict(matches[list(FEATURES)].tail(3).reset_index(drop=True))
    direct = models.load(open_registry(registry)).forecaster.predict(matches.tail(3))[report.primary]
    assert answer[["p_home", "p_draw", "p_away"]].to_numpy() == pytest.approx(direct.probabilities)
    assert answer[["expected_home_goals", "expected_away_goals"]].to_numpy() == pytest.approx(
        direct.expected_goals
    )


def test_the_same_data_code_and_parameters_are_trained_once(
    trained: tuple[Settings, TrainReport], matches: pd.DataFrame
) -> None:
    registry, first = trained
    again = _train(registry, matches, run_id="train-2")
    assert again.is_reused
    assert {**asdict(again), "is_reused": False} == asdict(first)
    assert len(models.versions(open_registry(registry))) == 1


@dataclass(frozen=True)
class Story:
    """What five trainings in one registry ended in, each told just after it, and who had which alias then."""

    settings: Settings
    reports: dict[str, TrainReport]
    champions: dict[str, str | None]
    challengers: dict[str, tuple[str, ...]]


@pytest.fixture(scope="module")
def story(mlflow_server: Settings, learning: Any, server: Settings, matches: pd.DataFrame) -> Iterator[Story]:
    """Versions 1 to 3 of data that differ by a goal, 4 without prices, 5 by another recipe; 3 is champion."""
    with copy_of(server) as fresh:
        settings = fresh.model_copy(update={"evaluation_seasons": 1})
        told = Story(settings, {}, {}, {})
        lessons = {
            "first": (matches, QUICK),
            "a goal more": (corrected(matches), QUICK),
            "two goals more": (corrected(matches, 2), QUICK),
            "without prices": (without_prices(matches), QUICK),
            "without prices again": (without_prices(matches), QUICK),
            "other parameters": (matches, OTHERWISE),
        }
        for name, (frame, parameters) in lessons.items():
            told.reports[name] = _train(settings, frame, parameters)
            told.champions[name] = models.champion_version(open_registry(settings))
            told.challengers[name] = models.challenger_versions(open_registry(settings))
        yield told


@pytest.fixture
def told(story: Story) -> Iterator[Settings]:
    """The registry of the story, for one test that may move aliases and tags."""
    with put_back(story.settings):
        yield story.settings


def test_other_data_or_parameters_make_another_version(story: Story) -> None:
    versions = [report.version for report in story.reports.values()]
    assert versions == ["1", "2", "3", "4", "4", "5"]
    assert len(models.versions(open_registry(story.settings))) == 5


def test_a_version_that_is_not_worse_becomes_champion(story: Story) -> None:
    for name, version in (("a goal more", "2"), ("two goals more", "3")):
        report = story.reports[name]
        assert (report.version, report.alias, story.champions[name]) == (version, "champion", version)
        assert "310 held-out matches of 2018/19" in report.reason


def test_a_worse_version_becomes_challenger(story: Story) -> None:
    report = story.reports["without prices"]
    assert (report.alias, report.state) == ("challenger", "challenger")
    assert (story.champions["without prices"], story.challengers["without prices"]) == ("3", ("4",))
    again = story.reports["without prices again"]
    assert (again.alias, again.is_reused) == ("challenger", True)


def test_other_parameters_stay_in_the_shadow_without_evidence(story: Story) -> None:
    report = story.reports["other parameters"]
    assert (report.alias, "another recipe" in report.reason) == ("challenger", True)
    assert models.load(open_registry(story.settings), "challenger").version == "5"


def test_a_version_that_is_trained_again_says_when_last_without_being_younger(
    told: Settings, matches: pd.DataFrame
) -> None:
    later, latest = AS_OF + timedelta(days=1), AS_OF + timedelta(days=2)
    for as_of, confirmed_as_of in ((AS_OF, None), (latest, latest), (later, latest)):
        assert train_on(told, matches, QUICK, as_of, "train again").is_reused
        (found,) = (each for each in models.trained_versions(open_registry(told)) if each.version == "1")
        assert (found.as_of, found.confirmed_as_of) == (AS_OF, confirmed_as_of)


def test_rollback_goes_back_one_champion_at_a_time(told: Settings) -> None:
    assert models.rollback(open_registry(told)).summary.endswith("is version 2 now.")
    assert models.load(open_registry(told)).version == "2"
    assert models.rollback(open_registry(told)).to_version == "1"
    with pytest.raises(ModelUnavailable, match="first champion"):
        models.rollback(open_registry(told))
    assert models.champion_version(open_registry(told)) == "1"


def test_a_version_rolled_back_is_not_promoted_by_training_again(
    told: Settings, matches: pd.DataFrame
) -> None:
    models.rollback(open_registry(told))
    again = _train(told, corrected(matches, 2))
    assert (again.version, again.alias, again.is_reused) == ("3", "", True)
    assert models.champion_version(open_registry(told)) == "2"


def test_promotion_by_hand_and_back(told: Settings) -> None:
    moved = models.promote(open_registry(told), "5")
    assert (moved.from_version, moved.to_version) == ("3", "5")
    aliases = {each.version: each.aliases for each in models.versions(open_registry(told))}
    assert aliases == {"5": ("champion",), "4": (), "3": (), "2": (), "1": ()}
    assert models.rollback(open_registry(told)).to_version == "3"
    with pytest.raises(ModelUnavailable, match="no version 9"):
        models.promote(open_registry(told), "9")


def test_of_a_long_line_of_champions_the_last_hundred_are_remembered(told: Settings) -> None:
    client = open_registry(told).client
    # As long as MLflow takes it: 5000 characters.
    before = [str(number) for number in range(1000, 1624)]
    client.set_registered_model_tag(told.model_name, models.HISTORY, json.dumps([*before, "3"]))
    models.promote(open_registry(told), "4")
    kept = json.loads(client.get_registered_model(told.model_name).tags[models.HISTORY])
    assert kept == [*before[-98:], "3", "4"]
    assert models.rollback(open_registry(told)).to_version == "3"


def test_a_kill_before_the_verdict_is_made_good_by_the_next_run(
    told: Settings, matches: pd.DataFrame
) -> None:
    client = open_registry(told).client
    client.set_registered_model_alias(told.model_name, "champion", "2")
    client.delete_model_version_tag(told.model_name, "3", "verdict")
    report = _train(told, corrected(matches, 2))
    assert (report.version, report.alias, report.is_reused) == ("3", "champion", True)


def test_what_a_version_forecast_before_it_was_fitted_is_kept_with_it(
    trained: tuple[Settings, TrainReport], tmp_path: Path
) -> None:
    registry, report = trained
    stored = walk_forward_of(open_registry(registry).client.get_run(report.mlflow_run_id), tmp_path)
    assert set(stored["season"]) == {"2018/19"}
    assert np.isfinite(stored[probability_columns(WITH_ODDS)].to_numpy()).all()


def test_without_a_model_the_error_says_what_to_do(registry: Settings) -> None:
    for alias in ("champion", "challenger"):
        with pytest.raises(ModelUnavailable, match="touchline train"):
            models.load(open_registry(registry), alias)
    assert models.champion_version(open_registry(registry)) is None
    assert models.versions(open_registry(registry)) == []
    with pytest.raises(ModelUnavailable, match="no champion"):
        models.rollback(open_registry(registry))


def test_too_few_matches_are_refused(registry: Settings, matches: pd.DataFrame) -> None:
    with pytest.raises(ModelUnavailable, match="too few to learn from"):
        _train(registry, matches.head(200))


def test_a_model_is_downloaded_once_and_read_once(trained: tuple[Settings, TrainReport]) -> None:
    registry, _ = trained
    first = models.load(open_registry(registry)).forecaster
    assert models.load(open_registry(registry)).forecaster is first
    folders = list((registry.home / "models" / registry.model_name).iterdir())
    assert [folder.name.split("-")[0] for folder in folders] == ["1"]
    models._read_forecaster.cache_clear()
    assert models.load(open_registry(registry)).forecaster is not first
    assert list((registry.home / "models" / registry.model_name).iterdir()) == folders


def test_a_damaged_copy_of_a_model_is_fetched_again(trained: tuple[Settings, TrainReport]) -> None:
    registry, _ = trained
    models.load(open_registry(registry))
    models._read_forecaster.cache_clear()
    (pickled,) = (registry.home / "models" / registry.model_name).rglob("python_model.pkl")
    pickled.write_bytes(b"\x80\x05not a pickle")
    assert models.load(open_registry(registry)).version == "1"


def test_a_model_this_code_cannot_read_is_named(story: Story) -> None:
    with damaged_model(story.settings, "3"), pytest.raises(ModelUnavailable, match="cannot be read"):
        models.load(open_registry(story.settings))


@pytest.mark.parametrize(
    "fault",
    [
        requests.ConnectionError("reset"),
        pytest.param(MlflowException("504 Gateway Timeout"), marks=pytest.mark.nightly),
    ],
)
def test_a_store_that_does_not_answer_costs_no_champion_its_alias(
    registry: Settings, matches: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    _train(registry, matches)
    forget_models(registry)
    with monkeypatch.context() as broken:
        broken.setattr("mlflow.artifacts.download_artifacts", raising(fault))
        with pytest.raises(ServiceFailed, match="could not be downloaded"):
            _train(registry, matches, OTHERWISE)
    assert models.champion_version(open_registry(registry)) == "1"
    report = _train(registry, matches, OTHERWISE)
    assert (report.version, report.alias) == ("2", "challenger"), (
        "the next run judges what the first left open"
    )


def test_a_missing_server_is_reported_at_once(settings: Settings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9", "home": tmp_path})
    with pytest.raises(ServiceFailed, match=r"MLflow does not answer at http://127\.0\.0\.1:9"):
        models.load(open_registry(nowhere))


@pytest.mark.nightly  # By day the run from nothing trains from a warehouse (tests/end_to_end).
def test_training_reads_the_warehouse(registry: Settings, tmp_path: Path) -> None:
    """From season files to a champion, through landing, dbt, ratings and Feast."""
    write_season_folder(tmp_path, 2019, 3)
    sourced = registry.model_copy(update={"source": str(tmp_path)})
    as_of = datetime(2022, 2, 1, tzinfo=UTC)
    collect(sourced, virtual_clock(as_of), "collect")
    build(sourced, as_of)
    report = train(sourced, as_of, "train-warehouse")
    assert (report.alias, report.n_matches) == ("champion", 540)
    assert report.n_held_out == 180
    tags = models.versions(open_registry(registry))[0].tags
    assert tags["trained_until"] < "2022-02-01"
    assert train(sourced, as_of, "train-again").is_reused

    found = {"values": {"no_odds.trees.rounds": 60}, "mlflow_run_id": "tuning"}
    open_registry(sourced).client.set_registered_model_tag(sourced.model_name, TUNED, json.dumps(found))
    again = train(sourced, as_of, "train-tuned")
    assert again.is_reused, "the champion's parameters are trained on, whatever tuning found"
    assert again.challenger is not None, "what tuning found is trained beside them"
    assert (again.challenger.version, again.challenger.is_reused) == ("2", False)
    assert again.challenger.summary in again.summary


@pytest.mark.nightly  # By day the functions behind them.
def test_commands_list_promote_and_roll_back(registry: Settings, matches: pd.DataFrame) -> None:
    _train(registry, matches)
    _train(registry, without_prices(matches))
    listed = json.loads(_run(registry, "--json", "models"))
    assert [(each["version"], each["aliases"]) for each in listed] == [
        ("2", ["challenger"]),
        ("1", ["champion"]),
    ]
    shown = _run(registry, "models")
    assert "challenger" in shown
    assert "log loss" in shown
    assert "champion was version 1, is version 2 now" in _run(registry, "models", "promote", "2")
    assert json.loads(_run(registry, "--json", "rollback", "model"))["to_version"] == "1"
    assert models.champion_version(open_registry(registry)) == "1"


def test_to_ask_the_registry_nothing_is_loaded_that_models_are_made_of(told: Settings) -> None:
    code = (
        "from touchline.registry.models import versions\n"
        "from touchline.registry.tracking import open_registry\n"
        "from touchline.settings import Settings\n"
        "assert versions(open_registry(Settings()))"
    )
    loaded = packages(loaded_by(code, **told.environment()))
    assert "mlflow" in loaded
    assert not loaded & {"feast", "lightgbm", "numba", "sklearn", "typeguard"}


def test_commands_without_a_model_say_what_to_do(registry: Settings) -> None:
    assert "touchline train" in _run(registry, "models")
    assert json.loads(_run(registry, "--json", "models")) == []
    with pytest.raises(ModelUnavailable, match="touchline train"):
        _run(registry, "rollback", "model")


def _run(settings: Settings, *arguments: str) -> str:
    """What a command prints, run in this process against the same installation; its errors are raised."""
    given = {
        "TOUCHLINE_HOME": str(settings.home),
        "TOUCHLINE_DATABASE_NAME": settings.warehouse_database,
        "TOUCHLINE_POSTGRES_PORT": "0",
        "COLUMNS": "200",
    }
    result = CliRunner().invoke(app, list(arguments), env=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout if "--json" in arguments else result.output


def _files(client: Any, run_id: str, folder: str = "") -> set[str]:
    found: set[str] = set()
    for each in client.list_artifacts(run_id, folder):
        found |= _files(client, run_id, each.path) if each.is_dir else {each.path}
    return found
