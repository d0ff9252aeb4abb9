"""Rows of ledger.prediction: made from forecasts, checked as a frame, appended before kick-off or not at all."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
import pandas as pd
import uuid6

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows
from touchline.features.online import FeatureRead
from touchline.forecasting.forecaster import Forecast
from touchline.registry.models import RegisteredForecaster
from touchline.settings import Settings

Row = Mapping[str, Any]

COLUMNS = (
    "prediction_id", "match_id", "competition", "season", "home_team", "away_team", "kickoff_at", "model_name",
    "model_version", "forecast", "role", "predicted_at", "features_as_of", "clock", "p_home", "p_draw", "p_away",
    "expected_home_goals", "expected_away_goals", "scoreline_grid", "features", "feature_hash", "feature_store",
    "is_simulated", "run_id",
)  # fmt: skip

# The database refuses a live prediction recorded after kick-off, and with it the whole batch. So matches that begin
# during the write are removed first.
REFUSE = """
delete from new_prediction
where kickoff_at <= predicted_at
    or clock = 'live' and kickoff_at <= clock_timestamp() + interval '5 seconds'
returning match_id, home_team, away_team, kickoff_at
"""

# The latest prediction of a match is not repeated. An earlier one is: after a rollback the old model predicts again.
# "Latest" is by match for the champion, whatever forecast it publishes, by forecast for baselines, and by version for
# challengers.
INSERT = """
insert into ledger.prediction ({columns})
select {columns} from new_prediction as new
where (new.model_version, new.forecast, new.kickoff_at, new.feature_hash) is distinct from (
    select (said.model_version, said.forecast, said.kickoff_at, said.feature_hash) from ledger.prediction as said
    where said.match_id = new.match_id and said.model_name = new.model_name and said.role = new.role
        and (said.forecast = new.forecast or new.role <> 'baseline')
        and (said.model_version = new.model_version or new.role <> 'challenger')
        and said.predicted_at <= new.predicted_at
    order by said.predicted_at desc, said.prediction_id desc limit 1
)
order by prediction_id
on conflict do nothing
"""


@dataclass(frozen=True)
class Appended:
    """What `append` did with its rows. `refused` gives, by match id, the kick-off of each match that had begun."""

    n_written: int
    n_refused_rows: int
    refused: Mapping[str, str]


def predictions_of(
    fixtures: Sequence[Row], read: FeatureRead, model: RegisteredForecaster, role: str, clock: RunClock,
    run_id: str,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Rows for the ledger, one per fixture and forecast; `fixtures` are in the row order of `read.frame`.

    The primary forecast gets `role`; a champion's other forecasts get role baseline, a challenger's are left
    out. Where a forecast cannot be made `p_home` is NaN.
    """
    forecasts = model.forecaster.predict(read.frame)
    primary = model.forecaster.primary
    others = [] if role == "challenger" else [name for name in forecasts if name != primary]
    stored = [_stored_features(values) for values in read.frame.to_dict("records")]
    for name in [primary, *others]:
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
                "clock": clock.mode,
                "features": stored[index],
                "feature_hash": hashlib.sha256(stored[index].encode()).hexdigest(),
                "feature_store": read.store,
                "run_id": run_id,
            }


def gate_frame(predictions: Sequence[Row]) -> pd.DataFrame:
    """The frame that the gate on predictions checks: one row per prediction, identified by `row_key`."""
    columns = [
        "match_id", "competition", "model_version", "forecast", "role", "p_home", "p_draw", "p_away",
        "expected_home_goals", "expected_away_goals",
    ]  # fmt: skip
    frame = pd.DataFrame([{name: row[name] for name in columns} for row in predictions], columns=columns)
    frame["row_key"] = [
        f"{row['competition']} {row['home_team']} {row['away_team']} {row['forecast']}" for row in predictions
    ]
    frame["p_sum"] = frame["p_home"] + frame["p_draw"] + frame["p_away"]
    frame["grid_sum"] = [float(np.sum(row["scoreline_grid"])) for row in predictions]
    frame["seconds_to_kickoff"] = [
        (row["kickoff_at"] - row["predicted_at"]).total_seconds() for row in predictions
    ]
    return frame


def append(settings: Settings, predictions: Sequence[Row]) -> Appended:
    """Append rows to ledger.prediction, all of them or (on an error) none.

    It leaves out rows of matches that have begun (at `predicted_at`, or live by the server's clock), and rows that
    repeat the latest prediction of the match by the champion, the challenger's version or the baseline.
    """
    if not predictions:
        return Appended(0, 0, {})
    columns = ", ".join(COLUMNS)
    with connect(settings, "model") as connection:
        # One writer at a time: the latest prediction of a match is read before a new one is written.
        connection.execute("select ledger.take_turn()")
        connection.execute("create temporary table new_prediction (like ledger.prediction) on commit drop")
        # The server sets recorded_at.
        connection.execute("alter table new_prediction drop column recorded_at")
        _copy(connection, predictions)
        begun = rows(connection, REFUSE)
        inserted = connection.execute(INSERT.format(columns=columns))
    reasons = {
        str(row["match_id"]): f"{row['home_team']} against {row['away_team']} kicked off at "
        f"{row['kickoff_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        for row in begun
    }
    return Appended(inserted.rowcount, len(begun), reasons)


def _numbers(forecast: Forecast, index: int) -> dict[str, Any]:
    home, draw, away = (float(p) for p in forecast.probabilities[index])
    return {
        "p_home": home,
        "p_draw": draw,
        "p_away": away,
        "expected_home_goals": float(forecast.expected_goals[index, 0]),
        "expected_away_goals": float(forecast.expected_goals[index, 1]),
        "scoreline_grid": forecast.grid[index],
    }


def _stored_features(values: Mapping[Any, float]) -> str:
    """Features as JSON in name order; the same values give the same text, and so the same hash."""
    known = {name: None if math.isnan(value) else value for name, value in sorted(values.items())}
    return json.dumps(known, separators=(",", ":"))


def _copy(connection: Connection, predictions: Iterable[Row]) -> None:
    statement = f"copy new_prediction ({', '.join(COLUMNS)}) from stdin"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in predictions:
            given = {**row, "scoreline_grid": _text_grid(row["scoreline_grid"])}
            copy.write_row([given[name] for name in COLUMNS])


def _text_grid(grid: np.ndarray[Any, Any]) -> str:
    return "{" + ",".join("{" + ",".join(f"{p:.7g}" for p in line) + "}" for line in grid) + "}"
