"""The backtest through the production steps: landing, dbt, ratings, features, walk-forward."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from typer.testing import CliRunner

from season_folder import turn_results_over, write_season_folder
from touchline.cli import app
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.errors import BacktestImpossible, TouchlineError
from touchline.features.training import training_frame
from touchline.forecasting.backtest import DATABASE_PREFIX, BacktestRequest, backtest_settings, run_backtest
from touchline.forecasting.specs import ladder
from touchline.forecasting.walk_forward import probability_columns, walk_forward
from touchline.settings import PROJECT_ROOT, Settings
from training_frames import QUICK

REQUEST = BacktestRequest((), date(2021, 8, 1), date(2022, 6, 30))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("seasons")
    assert write_season_folder(made, 2019, 3) == 540
    return made


@pytest.fixture(scope="module")
def backtested(server: Settings, folder: Path) -> Iterator[tuple[Settings, dict[str, Any]]]:
    settings = backtest_settings(server.model_copy(update={"source": str(folder)}), REQUEST)
    steps: list[str] = []
    found = run_backtest(settings, REQUEST, QUICK, lambda step, done, total: steps.append(step))
    assert list(dict.fromkeys(steps)) == [
        "fetch", "parse", "build core", "rate teams", "build features", "join features", "forecast",
    ]  # fmt: skip
    yield settings, found
    _drop_backtests(server)


def _drop_backtests(server: Settings) -> None:
    with open_url(server.admin_url, autocommit=True) as admin:
        names = _backtest_databases(server)
        for name in names:
            admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _backtest_databases(server: Settings) -> set[str]:
    with open_url(server.admin_url) as admin:
        found = rows(
            admin, "select datname from pg_database where starts_with(datname, %s)", (DATABASE_PREFIX,)
        )
    return {row["datname"] for row in found}


@pytest.mark.slow
def test_every_forecast_is_scored_on_the_same_matches(backtested: tuple[Settings, dict[str, Any]]) -> None:
    _, found = backtested
    assert found["matches"] == found["matches_played"] == 180
    assert set(found["forecasts"]) == set(ladder())
    assert {scores["n"] for scores in found["forecasts"].values()} == {180}
    assert found["forecasts"]["market_closing"]["log_loss"] < found["forecasts"]["base_rates"]["log_loss"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert "with_odds - market_prematch" in found["paired"]


@pytest.mark.slow
def test_a_repeat_gives_the_same_figures_from_the_same_database(
    server: Settings, backtested: tuple[Settings, dict[str, Any]]
) -> None:
    settings, found = backtested
    with connect(settings, "owner") as connection:
        before = scalar(connection, "select count(*) from landing.payload")
    assert run_backtest(settings, REQUEST, QUICK) == found
    with connect(settings, "owner") as connection:
        assert scalar(connection, "select count(*) from landing.payload") == before
    assert _backtest_databases(server) == {settings.warehouse_database}


@pytest.mark.nightly  # By day: tests/unit/test_leaks.py.
@pytest.mark.slow
def test_the_season_s_own_results_do_not_reach_its_first_forecasts(
    server: Settings, folder: Path, tmp_path: Path, backtested: tuple[Settings, dict[str, Any]]
) -> None:
    """All results from 10 September on are turned over in the files: forecasts of matches before stay the same."""
    settings, _ = backtested
    other = tmp_path / "turned"
    write_season_folder(other, 2019, 3)
    turn_results_over(other, date(2021, 9, 10))
    turned = backtest_settings(server.model_copy(update={"source": str(other)}), REQUEST)
    # A backtest drops the databases of others, so the first is read before the second runs.
    before = walk_forward(training_frame(settings, REQUEST.as_of), ["2021/22"], QUICK).set_index("match_id")
    run_backtest(turned, REQUEST, QUICK)
    after = walk_forward(training_frame(turned, REQUEST.as_of), ["2021/22"], QUICK).set_index("match_id")
    until = datetime(2021, 9, 10, tzinfo=UTC)
    for name in ("no_odds", "with_odds", "elo", "market_prematch"):
        columns = probability_columns(name)
        early = before.index[before["kickoff_at"] < until]
        assert 0 < len(early) < len(before)
        assert before.loc[early, columns].equals(after.loc[early, columns])
        if name in ("no_odds", "elo"):
            assert not before[columns].equals(after.loc[before.index, columns])


@pytest.mark.slow
def test_nothing_to_forecast_is_said(backtested: tuple[Settings, dict[str, Any]]) -> None:
    settings, _ = backtested
    with pytest.raises(BacktestImpossible, match="ZZ"):
        run_backtest(settings, BacktestRequest(("ZZ",), REQUEST.from_on, REQUEST.to_on), QUICK)


@pytest.mark.nightly  # By day: every forecast is scored.
@pytest.mark.slow
def test_the_command_writes_the_figures(
    server: Settings, folder: Path, tmp_path: Path, backtested: tuple[Settings, dict[str, Any]]
) -> None:
    target = tmp_path / "figures.json"
    result = subprocess.run(
        [
            sys.executable, "-m", "touchline.cli", "backtest", "--source", str(folder), "--competitions", "E0",
            "--from", "2021-08-01", "--to", "2022-06-30", "--json", str(target), "--report", str(tmp_path / "report"),
        ],
        env={
            **os.environ, "PYTHONPATH": str(PROJECT_ROOT / "include"), "TOUCHLINE_HOME": str(server.home),
            "TOUCHLINE_POSTGRES_PORT": str(server.running_port("postgres", 0)),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = json.loads(target.read_text())
    assert (found["matches"], found["competitions"]) == (90, ["E0"])
    assert "market_prematch" in result.stdout
    assert "95 % interval" in result.stdout
    page = (tmp_path / "report" / "report.html").read_text()
    assert "90 matches of 1 competition" in page
    assert "best pre-match" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "01/08/2019"], "not a date"),
        (["--competitions", "all"], "no competition all: choose from"),
        (["--overround", "magic"], "power, shin, proportional"),
        (["--source", "/no/such/folder"], "does not exist"),
    ],
)
def test_a_wrong_argument_is_refused(server: Settings, arguments: list[str], message: str) -> None:
    environment = {
        "TOUCHLINE_HOME": str(server.home),
        "TOUCHLINE_POSTGRES_PORT": str(server.running_port("postgres", 0)),
        "COLUMNS": "200",
    }
    result = CliRunner().invoke(app, ["backtest", *arguments], env=environment)
    assert result.exit_code != 0
    # What is raised on purpose is told without a traceback by `touchline.cli.main`.
    assert message in result.output + str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit | TouchlineError)
