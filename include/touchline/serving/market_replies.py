"""The markets of a prediction in the ledger, as the API and the command line show them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from fastapi import Request, Response

from touchline.forecasting.logistic import Floats
from touchline.forecasting.scoreline_markets import (
    HANDICAP_LINES,
    TEAM_TOTAL_LINES,
    TOTAL_LINES,
    fair_price,
    markets_of,
    top_scorelines,
)
from touchline.serving import market_schemas as schemas
from touchline.serving.database import Row
from touchline.serving.formats import JSON
from touchline.serving.kept import tag
from touchline.serving.lists import kept_headers
from touchline.serving.schemas import PredictionSummary
from touchline.serving.shared import serving_of

N_SCORELINES = 10
# Of 16 kB each.
MOST_KEPT = 1_000
# Grids are stored in single precision; further digits are noise.
DIGITS, DIGITS_OF_PRICES = 6, 4
SETTLEMENTS = ("won", "half_won", "stake_back", "half_lost", "lost")
SUMMARY = PredictionSummary.model_fields.keys() - {"probabilities"}


async def answer(request: Request, row: Row) -> Response:
    """The markets of a row as the API gives them."""
    body = _body(row)
    headers = kept_headers(await serving_of(request).moment()) | {"ETag": tag(body)}
    return Response(body, media_type=JSON, headers=headers)


# A prediction never changes.
@cached(LRUCache(MOST_KEPT), key=lambda row: row["prediction_id"])
def _body(row: Row) -> bytes:
    return markets(row).model_dump_json().encode()


def markets(row: Row) -> schemas.PredictionMarkets:
    """Markets of a row of the ledger: a prediction with its `scoreline_grid`."""
    stored = np.array(row["scoreline_grid"], dtype=np.float64)
    # Stored digits are rounded, so the sum is not exactly one.
    grids = (stored / stored.sum())[None]
    found = markets_of(grids)
    results = ("home", "draw", "away")
    pairs = ("home_or_draw", "home_or_away", "draw_or_away")
    # In one go: a hundred bets, each validated by itself, take three times as long.
    return schemas.PredictionMarkets.model_validate(
        {
            **{name: row[name] for name in SUMMARY},
            "probabilities": {"home": row["p_home"], "draw": row["p_draw"], "away": row["p_away"]},
            "match_result": _chances(results, found.match_result[0]),
            "double_chance": _chances(pairs, found.double_chance[0]),
            "draw_no_bet": _chances(("home", "away"), found.draw_no_bet[0]),
            "both_to_score": _chances(("yes", "no"), found.both_to_score[0]),
            "total_goals": _lines(TOTAL_LINES, ("over", "under"), found.total_goals[0]),
            "home_goals": _lines(TEAM_TOTAL_LINES, ("over", "under"), found.home_goals[0]),
            "away_goals": _lines(TEAM_TOTAL_LINES, ("over", "under"), found.away_goals[0]),
            "handicap": _lines(HANDICAP_LINES, ("home", "away"), found.handicap[0]),
            "scorelines": _scorelines(grids),
        }
    )


def _chances(names: tuple[str, ...], probabilities: Floats) -> dict[str, dict[str, float | None]]:
    return {name: _chance(p) for name, p in zip(names, probabilities.tolist(), strict=True)}


def _chance(p: float) -> dict[str, float | None]:
    return {"probability": round(p, DIGITS), "fair_price": round(1 / p, DIGITS_OF_PRICES) if p > 0 else None}


def _lines(lines: tuple[float, ...], sides: tuple[str, str], settlements: Floats) -> list[dict[str, Any]]:
    """For each line both sides of the bet; `settlements` (lines, 5) are those of the first side."""
    first, second = (_bets(each) for each in (settlements, settlements[:, ::-1]))
    return [
        {"line": line, sides[0]: one, sides[1]: other}
        for line, one, other in zip(lines, first, second, strict=True)
    ]


def _bets(settlements: Floats) -> list[dict[str, float | None]]:
    prices = fair_price(settlements).round(DIGITS_OF_PRICES).tolist()
    return [
        dict(zip(SETTLEMENTS, settled, strict=True)) | {"fair_price": price if math.isfinite(price) else None}
        for settled, price in zip(settlements.round(DIGITS).tolist(), prices, strict=True)
    ]


def _scorelines(grids: Floats) -> list[dict[str, Any]]:
    top = top_scorelines(grids, N_SCORELINES)
    return [
        {"home_goals": home, "away_goals": away, **_chance(p)}
        for home, away, p in zip(
            top.home_goals[0].tolist(),
            top.away_goals[0].tolist(),
            top.probabilities[0].tolist(),
            strict=True,
        )
    ]
