"""A small built world with predictions for the API to serve: made by the roles and the code of production."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from builders import match_row
from predictions import insert_prediction, unchecked
from touchline.clock import virtual_clock
from touchline.database.engine import rows
from touchline.forecasting.scoreline import grid_for
from touchline.ledger.settle import settle_predictions
from touchline.openlineage import model_events
from touchline.settings import Settings
from touchline.warehouse.build import build_layer
from warehouse import build, land, round_robin

NOW = datetime(2022, 11, 2, 12, tzinfo=UTC)
EARLIER = datetime(2022, 11, 1, 12, tzinfo=UTC)
LATER = datetime(2022, 11, 2, 14, tzinfo=UTC)

FIXTURES = [
    match_row(Date="02/11/2022", Time="15:00", HomeTeam="Leeds", AwayTeam="Arsenal", FTHG="", FTAG="", FTR=""),
    match_row(
        Date="03/11/2022", Time="20:00", HomeTeam="Fulham", AwayTeam="Chelsea", FTHG="", FTAG="", FTR="",
        B365H="", B365D="", B365A="", AvgH="", AvgD="", AvgA="",
    ),
    match_row(Date="05/11/2022", Time="15:00", HomeTeam="Burnley", AwayTeam="Everton", FTHG="", FTAG="", FTR=""),
]  # fmt: skip


# What is recorded of the training of the version that predicts.
TRAINED = model_events.Fit(
    "touchline_match_result", "1", "mlflow-run",
    {
        "as_of": "2022-10-10T03:00:00+00:00", "trained_from": "2012-08-18T14:00:00+00:00",
        "trained_until": "2022-10-09T15:30:00+00:00", "n_matches": "3650", "n_features": "120", "competitions": "E0,E1",
        "dataset_digest": "d" * 64, "code_version": "0.1.0+c0de", "is_simulated": "false", "primary": "with_odds",
    },
    EARLIER, EARLIER, {"seed": "1", "half_life_days": "240"}, 760,
    {
        "with_odds": {"rps": 0.1949, "log_loss": 0.9712, "brier": 0.5764, "accuracy": 0.541},
        "elo": {"rps": 0.2031, "log_loss": 0.9993, "brier": 0.5951, "accuracy": 0.522},
    },
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """A database with three fixtures (priced, unpriced, unpredicted) and a settled match; ids of its predictions."""

    settings: Settings
    priced: str
    unpriced: str
    played: str
    ids: dict[str, str]


def build_unpredicted(empty: Settings, folder: Path) -> Settings:
    """Land and build the matches and the fixtures as of NOW."""
    settings = land(empty, folder, [*round_robin(), *FIXTURES], NOW)
    build(settings, NOW)
    build_layer(settings, "analytics", NOW, "build")
    return settings


def predict_and_settle(settings: Settings) -> World:
    """Predict and settle in what `build_unpredicted` built, through the roles and the code of production."""
    with unchecked(settings) as connection:
        matches = rows(
            connection, "select match_id::text as id, home_team, away_team, kickoff_at from core.match"
        )
        found = {(row["home_team"], row["away_team"]): row for row in matches}
        priced, unpriced, played = (
            found[pair] for pair in (("Leeds", "Arsenal"), ("Fulham", "Chelsea"), ("Everton", "Burnley"))
        )

        def predict(row: dict[str, object], at: datetime = NOW, **changes: object) -> str:
            prices = (
                {f"market_price_{side}": 2.5 for side in ("home", "draw", "away")} if row is priced else {}
            )
            return insert_prediction(
                connection, match_id=row["id"], home_team=row["home_team"], away_team=row["away_team"],
                kickoff_at=row["kickoff_at"], predicted_at=at, features_as_of=at,
                feature_hash=sha256(f"{at} {changes}".encode()).hexdigest(),
                features={"home_elo": 1512.5, "away_elo": None} | prices, **changes,
            )  # fmt: skip

        before = datetime(2022, 10, 14, 12, tzinfo=UTC)
        ids = {
            "old": predict(priced, EARLIER, p_home=0.4, p_draw=0.3, p_away=0.3),
            "new": predict(priced),
            "of_tomorrow": predict(priced, LATER, p_home=0.6, p_draw=0.2, p_away=0.2),
            "unpriced": predict(unpriced, scoreline_grid=grid_for(np.array([[0.5, 0.3, 0.2]]))[0].tolist()),
            "elo": predict(priced, role="baseline", forecast="elo"),
            "market": predict(priced, role="baseline", forecast="market"),
            "settled": predict(played, before),
        }
    settle_predictions(settings, virtual_clock(NOW), "settle")
    model_events.emit(settings, TRAINED, "train")
    return World(settings, priced["id"], unpriced["id"], played["id"], ids)
