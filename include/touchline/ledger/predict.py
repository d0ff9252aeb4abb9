"""Batch prediction: every fixture in the horizon, into the ledger, before kick-off or not at all."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import uuid6

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows
from touchline.errors import FixtureAlreadyKickedOff, ModelUnavailable
from touchline.features.online import FeatureRead, read_features
from touchline.forecasting.forecaster import Forecast
from touchline.quality.gates import check_predictions
from touchline.registry import models
from touchline.settings import Settings

FIXTURES = """
select match_id::text as match_id, competition, season, home_team, away_team, kickoff_at, is_simulated
from core.match
where not is_played and status = 'scheduled' and kickoff_at > %(after)s and kickoff_at <= %(until)s
order by kickoff_at, match_id
"""

COLUMNS = (
    "prediction_id", "match_id", "competition", "season", "home_team", "away_team", "kickoff_at", "model_name",
    "model_version", "forecast", "role", "predicted_at", "features_as_of", "clock", "p_home", "p_draw", "p_away",
    "expected_home_goals", "expected_away_goals", "scoreline_grid", "features", "feature_hash", "feature_store",
    "is_simulated", "run_id",
)  # fmt: skip


@dataclass(frozen=True)
class PredictReport:
    """What a batch did; counts of fixtures, then of prediction rows (a fixture has one a forecast)."""

    as_of: str
    model_version: str | None
    n_fixtures: int
    n_written: int
    n_already_there: int
    n_without_forecast: int
    feature_store: str | None

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        if self.model_version is None:
            return (
                "No champion is registered yet, so there is nothing to predict with; train_models makes one."
            )
        return (
            f"{self.n_fixtures} fixtures as of {self.as_of}: {self.n_written} predictions written, "
            f"{self.n_already_there} already there, {self.n_without_forecast} without a forecast "
            f"(model version {self.model_version}, {self.feature_store} features)."
        )


def predict_matches(settings: Settings, clock: RunClock, run_id: str) -> PredictReport:
    """Predict every fixture that kicks off within `settings.horizon_days` after `clock.as_of`.

    The champion's primary forecast gets role champion, its other forecasts role baseline, the challenger's
    primary forecast role challenger. The same model on the same features is not written again. Raises
    QualityGateFailed before anything is written, FeaturesUnavailable when no store has the features.
    """
    until = clock.as_of + timedelta(days=settings.horizon_days)
    with connect(settings, "model") as connection:
        fixtures = rows(connection, FIXTURES, {"after": clock.as_of, "until": until})
    try:
        champion = models.load(settings, "champion")
    except ModelUnavailable:
        return PredictReport(clock.as_of.isoformat(), None, len(fixtures), 0, 0, 0, None)
    if not fixtures:
        return PredictReport(clock.as_of.isoformat(), champion.version, 0, 0, 0, 0, None)
    read = read_features(settings, [fixture["match_id"] for fixture in fixtures], clock.as_of)
    predictions = list(_predictions(fixtures, read, champion, "champion", clock, run_id))
    challenger = _challenger(settings, champion.version)
    if challenger is not None:
        predictions += _predictions(fixtures, read, challenger, "challenger", clock, run_id)
    forecast = [row for row in predictions if not math.isnan(row["p_home"])]
    check_predictions(settings, _gate_frame(forecast), clock.as_of, run_id)
    n_written = append(settings, forecast, clock)
    return PredictReport(
        as_of=clock.as_of.isoformat(),
        model_version=champion.version,
        n_fixtures=len(fixtures),
        n_written=n_written,
        n_already_there=len(forecast) - n_written,
        n_without_forecast=len(predictions) - len(forecast),
        feature_store=read.store,
    )


def append(settings: Settings, predictions: Sequence[Mapping[str, Any]], clock: RunClock) -> int:
    """Append rows to ledger.prediction and return how many were new.

    Raises FixtureAlreadyKickedOff, and writes nothing, when one of the matches has begun at `clock.as_of`.
    """
    late = [row for row in predictions if row["kickoff_at"] <= clock.as_of]
    if late:
        first = late[0]
        raise FixtureAlreadyKickedOff(
            f"{first['home_team']} against {first['away_team']} kicked off at {first['kickoff_at'].isoformat()}, "
            f"it is {clock.as_of.isoformat()}: a prediction is written before kick-off or not at all"
        )
    if not predictions:
        return 0
    with connect(settings, "model") as connection:
        connection.execute(
            "create temporary table new_prediction (like ledger.prediction including defaults) on commit drop"
        )
        _copy(connection, predictions)
        names = ", ".join(COLUMNS)
        inserted = connection.execute(
            f"insert into ledger.prediction ({names}) select {names} from new_prediction "  # noqa: S608
            "order by prediction_id on conflict do nothing"
        )
        return inserted.rowcount


def _challenger(settings: Settings, champion_version: str) -> models.RegisteredForecaster | None:
    try:
        challenger = models.load(settings, "challenger")
    except ModelUnavailable:
        return None
    return None if challenger.version == champion_version else challenger


def _predictions(
    fixtures: Sequence[Mapping[str, Any]], read: FeatureRead, model: models.RegisteredForecaster, role: str,
    clock: RunClock, run_id: str,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    forecasts = model.forecaster.predict(read.frame)
    primary = model.forecaster.primary
    wanted = (
        [primary] if role == "challenger" else [primary, *(name for name in forecasts if name != primary)]
    )
    stored = [_stored_features(values) for values in read.frame.to_dict("records")]
    for name in wanted:
        for index, fixture in enumerate(fixtures):
            yield {
                **fixture,
                **_numbers(forecasts[name], index),
                "prediction_id": str(uuid6.uuid7()),
                "model_name": model.name,
                "model_version": model.version,
                "forecast": name,
                "role": role if name == primary else "baseline",
                "predicted_at": clock.as_of,
                "features_as_of": clock.as_of,
                "clock": clock.mode,
                "features": stored[index],
                "feature_hash": hashlib.sha256(stored[index].encode()).hexdigest(),
                "feature_store": read.store,
                "run_id": run_id,
            }


def _numbers(forecast: Forecast, index: int) -> dict[str, Any]:
    home, draw, away = (float(p) for p in forecast.probabilities[index])
    return {
        "p_home": home,
        "p_draw": draw,
        "p_away": away,
        "expected_home_goals": float(forecast.expected_goals[index, 0]),
        "expected_away_goals": float(forecast.expected_goals[index, 1]),
        "grid": forecast.grid[index],
    }


def _stored_features(values: Mapping[Any, float]) -> str:
    """Features as JSON in name order; the same values give the same text, and so the same hash."""
    known = {name: None if math.isnan(value) else value for name, value in sorted(values.items())}
    return json.dumps(known, separators=(",", ":"))


def _gate_frame(predictions: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    columns = [
        "match_id", "model_version", "forecast", "p_home", "p_draw", "p_away", "expected_home_goals",
        "expected_away_goals",
    ]  # fmt: skip
    frame = pd.DataFrame([{name: row[name] for name in columns} for row in predictions], columns=columns)
    frame["row_key"] = [
        f"{row['competition']} {row['home_team']} {row['away_team']} {row['forecast']}" for row in predictions
    ]
    frame["p_sum"] = frame["p_home"] + frame["p_draw"] + frame["p_away"]
    frame["grid_sum"] = [float(np.sum(row["grid"])) for row in predictions]
    frame["seconds_to_kickoff"] = [
        (row["kickoff_at"] - row["predicted_at"]).total_seconds() for row in predictions
    ]
    return frame


def _copy(connection: Connection, predictions: Iterable[Mapping[str, Any]]) -> None:
    statement = f"copy new_prediction ({', '.join(COLUMNS)}) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in predictions:
            copy.write_row(
                [_text_grid(row["grid"]) if name == "scoreline_grid" else row[name] for name in COLUMNS]
            )


def _text_grid(grid: np.ndarray[Any, Any]) -> str:
    return "{" + ",".join("{" + ",".join(f"{p:.7g}" for p in line) + "}" for line in grid) + "}"
