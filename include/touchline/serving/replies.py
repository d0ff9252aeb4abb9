"""Convert rows of the database to replies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from touchline.serving import schemas
from touchline.serving.database import Row

SIDES = ("home", "draw", "away")


def summary(row: Row) -> schemas.PredictionSummary:
    """The fields that every prediction has."""
    return schemas.PredictionSummary(**_summary(row))


def upcoming(found: Sequence[Row]) -> list[schemas.UpcomingPrediction]:
    """Predictions with their fair prices, the best prices on offer, and the market's probabilities."""
    return [_upcoming(row) for row in found]


def prediction(row: Row, outcome: Row | None) -> schemas.Prediction:
    """A prediction with its features, grid and outcome."""
    names = ("features_as_of", "feature_store", "feature_hash", "scoreline_grid", "clock", "run_id")
    return schemas.Prediction(
        **_summary(row),
        **{name: row[name] for name in names},
        features=dict(sorted(json.loads(row["features"]).items())),
        outcome=None if outcome is None else _outcome(outcome),
    )


def match(row: Row, quotes: Sequence[Row], predictions: Sequence[Row]) -> schemas.Match:
    """A match with its result, quotes and predictions."""
    result = None
    if row["outcome"] is not None:
        result = schemas.Result(
            home_goals=row["home_goals"],
            away_goals=row["away_goals"],
            outcome=row["outcome"],
            known_at=row["result_known_at"],
        )
    names = schemas.Match.model_fields.keys() - {"result", "quotes", "predictions"}
    return schemas.Match(
        **{name: row[name] for name in names},
        result=result,
        quotes=[schemas.Quote(**quote) for quote in quotes],
        predictions=[summary(item) for item in predictions],
    )


def _summary(row: Row) -> dict[str, Any]:
    names = schemas.PredictionSummary.model_fields.keys() - {"probabilities"}
    probabilities = schemas.Probabilities(**{side: row[f"p_{side}"] for side in SIDES})
    return {name: row[name] for name in names} | {"probabilities": probabilities}


def _upcoming(row: Row) -> schemas.UpcomingPrediction:
    fair = {side: 1 / row[f"p_{side}"] if row[f"p_{side}"] else None for side in SIDES}
    believed = None
    if row["p_market_home"] is not None:
        believed = schemas.Probabilities(**{side: row[f"p_market_{side}"] for side in SIDES})
    return schemas.UpcomingPrediction(
        **_summary(row),
        competition_name=row["competition_name"],
        stage=row["stage"],
        fair_prices=schemas.Prices(**fair),
        best_prices=schemas.Prices(**{side: row[f"best_price_{side}"] for side in SIDES}),
        market_probabilities=believed,
        prices_as_of=row["prices_as_of"],
        is_stale=row["is_stale"],
    )


def _outcome(row: Row) -> schemas.Outcome:
    closing = None
    if row["p_closing_home"] is not None:
        closing = schemas.Probabilities(**{side: row[f"p_closing_{side}"] for side in SIDES})
    names = schemas.Outcome.model_fields.keys() - {"closing_probabilities"}
    return schemas.Outcome(closing_probabilities=closing, **{name: row[name] for name in names})
