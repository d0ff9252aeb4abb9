"""Rows of the ledger for tests: a test names only what matters to it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
import uuid6

from touchline.database.engine import Connection, connect
from touchline.forecasting.baselines import Market, SingleRating
from touchline.forecasting.design import ModelInput
from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.metrics import OUTCOMES
from touchline.monitoring.settled import Settled
from touchline.registry.models import RegisteredForecaster
from touchline.settings import Settings

KICKOFF = datetime(2022, 11, 2, 15, tzinfo=UTC)
MADE = KICKOFF - timedelta(days=1)
GOALS = ((1, 0), (0, 0), (0, 1))
# Of the columns of core that the ledger is compared with.
CORE = """
create table if not exists core.match (
    match_id uuid primary key, competition text, season text, home_team text, away_team text, kickoff_at timestamptz,
    status text default 'scheduled', is_played boolean default false);
create table if not exists core.match_result (
    match_id uuid primary key, home_goals smallint, away_goals smallint, known_at timestamptz);
"""
CHECKS = (
    "alter table ledger.prediction {0} trigger check_match; "
    "alter table ledger.prediction_outcome {0} trigger check_match"
)


def prediction(**changes: Any) -> dict[str, Any]:
    """A valid row of ledger.prediction, made with a virtual clock a day before kick-off."""
    row = {
        "prediction_id": str(uuid6.uuid7()), "match_id": "00000000-0000-0000-0000-000000000001",
        "competition": "E0", "season": "2022/23", "home_team": "Arsenal", "away_team": "Leeds",
        "kickoff_at": KICKOFF, "model_name": "touchline_match_result", "model_version": "1",
        "forecast": "with_odds", "role": "champion", "predicted_at": MADE, "features_as_of": MADE,
        "clock": "virtual", "p_home": 0.5, "p_draw": 0.3, "p_away": 0.2, "expected_home_goals": 1.6,
        "expected_away_goals": 1.0, "scoreline_grid": [[0.5, 0.2], [0.3, 0.0]], "features": {},
        "feature_hash": "h", "feature_store": "online", "is_simulated": False, "run_id": "test",
    }  # fmt: skip
    assert not changes.keys() - row.keys() - {"recorded_at"}, "unknown columns"
    return row | changes


def insert_prediction(connection: Connection, **changes: Any) -> str:
    """Insert `prediction(**changes)` by plain SQL and return its id."""
    row = prediction(**changes)
    row["features"] = json.dumps(row["features"])
    _insert(connection, "ledger.prediction", row)
    return str(row["prediction_id"])


def announce(settings: Settings, **changes: Any) -> None:
    """Announce the match of `prediction(**changes)` to a real world in which dbt has built nothing."""
    names = ("match_id", "competition", "season", "home_team", "away_team", "kickoff_at")
    match = {name: prediction(**changes)[name] for name in names}
    with connect(settings, "ingest") as connection:
        connection.execute("insert into ops.world values (false, 'test') on conflict do nothing")
    with connect(settings, "transform") as connection:
        connection.execute(CORE)
        _insert(connection, "core.match", match)


@contextmanager
def unchecked(settings: Settings) -> Iterator[Connection]:
    """A connection of the owner, for whom the ledger takes predictions of played matches and of unknown ones."""
    with connect(settings, "owner") as connection:
        connection.execute(CHECKS.format("disable"))
        yield connection
        connection.execute(CHECKS.format("enable"))


def know_result(settings: Settings, home_goals: int, away_goals: int, **changes: Any) -> None:
    """Let core know the result of an announced match from the end of the match on."""
    match = prediction(**changes)
    with connect(settings, "transform") as connection:
        connection.execute(
            "insert into core.match_result values (%s, %s, %s, %s)",
            (match["match_id"], home_goals, away_goals, match["kickoff_at"] + timedelta(hours=2)),
        )


def outcome(prediction_id: str, **changes: Any) -> dict[str, Any]:
    """A valid row of ledger.prediction_outcome: `prediction()` after a result of 2-1."""
    row = {
        "prediction_id": prediction_id, "revision": 1, "home_goals": 2, "away_goals": 1, "outcome": "home",
        "rps": (0.5**2 + 0.2**2) / 2, "log_loss": -math.log(0.5), "brier": 0.5**2 + 0.3**2 + 0.2**2, "is_correct": True,
        "settled_at": KICKOFF + timedelta(days=1), "run_id": "test",
    }  # fmt: skip
    return row | changes


def insert_outcome(connection: Connection, prediction_id: str, **changes: Any) -> None:
    """Insert `outcome(...)` by plain SQL."""
    _insert(connection, "ledger.prediction_outcome", outcome(prediction_id, **changes))


def insert_season(connection: Connection, **changes: Any) -> None:
    """A valid row of ledger.season_forecast and one of ledger.season_outcome, in which a team, Arsenal, ends first."""
    team = {
        "competition": "E0", "season": "2022/23", "team_id": "00000000-0000-0000-0000-000000000002", "team": "Arsenal",
        "points": 1, "run_id": "test", **changes,
    }  # fmt: skip
    forecast = team | {
        "forecast_id": str(uuid6.uuid7()), "model_name": "touchline_match_result", "model_version": "1",
        "forecast_at": MADE, "clock": "virtual", "n_simulations": 10_000, "strength_deviation": 0.1, "n_played": 1,
        "n_left": 1, "expected_points": 2.5, "points_low": 1, "points_high": 4, "p_place": [0.5, 0.5], "p_title": 0.5,
        "basis": "h", "is_simulated": False,
    }  # fmt: skip
    outcome = team | {
        "outcome_id": str(uuid6.uuid7()), "revision": 1, "place": 1, "reached": ["title"],
        "settled_at": KICKOFF + timedelta(days=1),
    }  # fmt: skip
    _insert(connection, "ledger.season_forecast", forecast)
    _insert(connection, "ledger.season_outcome", outcome)


def _insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    values = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"insert into {table} ({', '.join(row)}) values ({values})", row)


def elo_and_market(seed: int = 1) -> Forecaster:
    """A real forecaster that is fitted in no time: Elo (primary) and the market."""
    random = np.random.default_rng(seed)
    gap = random.normal(0, 150, 400)
    matches = pd.DataFrame({
        "home_elo": 1500 + gap, "away_elo": 1500.0, "competition_tier": 1.0,
        "outcome": np.where(random.normal(gap, 200) > 60, 0, random.integers(1, 3, 400)),
    })  # fmt: skip
    return Forecaster({"elo": SingleRating.fit(ModelInput(matches), "elo"), "market": Market()}, {}, "elo")


def registered(version: str = "1", name: str = "touchline_match_result") -> RegisteredForecaster:
    """That forecaster as the registry would hand it out."""
    return RegisteredForecaster(name, version, elo_and_market())


def insert_settled(
    connection: Connection, settled: Settled, model_name: str, model_version: str = "1", first_number: int = 0
) -> None:
    """The champion's predictions, each made a day before its kick-off at three and settled at six that day."""
    for number, (day, p, closing, outcome) in enumerate(
        zip(settled.kickoff_on, settled.probabilities, settled.closing, settled.outcomes, strict=True),
        first_number,
    ):
        kickoff = datetime.combine(day.astype(object), time(15), UTC)
        home, draw = float(p[0]), float(p[1])
        made = insert_prediction(
            connection, match_id=f"00000000-0000-0000-0000-{number:012d}", kickoff_at=kickoff,
            predicted_at=kickoff - timedelta(days=1), features_as_of=kickoff - timedelta(days=1),
            model_name=model_name, model_version=model_version, p_home=home, p_draw=draw, p_away=1 - home - draw,
        )  # fmt: skip
        connection.execute(
            "insert into ledger.prediction_outcome (prediction_id, revision, home_goals, away_goals, outcome, "
            "rps, log_loss, brier, is_correct, p_closing_home, p_closing_draw, p_closing_away, settled_at, run_id) "
            "values (%s, 1, %s, %s, %s, 0, 0, 0, true, %s, %s, %s, %s, 'test')",
            (made, *GOALS[outcome], OUTCOMES[outcome], *map(float, closing), kickoff + timedelta(hours=3)),
        )
