"""The markets of a prediction in the ledger, as the API and the command line show them."""

from __future__ import annotations

import math

import numpy as np
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
from touchline.serving.schemas import PredictionSummary, Probabilities
from touchline.serving.shared import serving_of

N_SCORELINES = 10
SUMMARY = PredictionSummary.model_fields.keys() - {"probabilities"}


async def answer(request: Request, row: Row) -> Response:
    """The markets of a row as the API gives them."""
    body = markets(row).model_dump_json().encode()
    headers = kept_headers(await serving_of(request).moment()) | {"ETag": tag(body)}
    return Response(body, media_type=JSON, headers=headers)


def markets(row: Row) -> schemas.PredictionMarkets:
    """Markets of a row of the ledger: a prediction with its `scoreline_grid`."""
    stored = np.array(row["scoreline_grid"], dtype=np.float64)
    # Stored digits are rounded, so the sum is not exactly one.
    grids = (stored / stored.sum())[None]
    found = markets_of(grids)
    results = ("home", "draw", "away")
    pairs = ("home_or_draw", "home_or_away", "draw_or_away")
    return schemas.PredictionMarkets(
        **{name: row[name] for name in SUMMARY},
        probabilities=Probabilities(home=row["p_home"], draw=row["p_draw"], away=row["p_away"]),
        match_result=schemas.MatchResult(**_chances(results, found.match_result[0])),
        double_chance=schemas.DoubleChance(**_chances(pairs, found.double_chance[0])),
        draw_no_bet=schemas.DrawNoBet(**_chances(("home", "away"), found.draw_no_bet[0])),
        both_to_score=schemas.BothToScore(**_chances(("yes", "no"), found.both_to_score[0])),
        total_goals=_goals(TOTAL_LINES, found.total_goals[0]),
        home_goals=_goals(TEAM_TOTAL_LINES, found.home_goals[0]),
        away_goals=_goals(TEAM_TOTAL_LINES, found.away_goals[0]),
        handicap=[
            schemas.HandicapLine(line=line, home=_bet(settled), away=_bet(settled[::-1]))
            for line, settled in zip(HANDICAP_LINES, found.handicap[0], strict=True)
        ],
        scorelines=_scorelines(grids),
    )


def _chances(names: tuple[str, ...], probabilities: Floats) -> dict[str, schemas.Chance]:
    return {
        name: schemas.Chance(probability=p, fair_price=1 / p if p > 0 else None)
        for name, p in zip(names, probabilities.tolist(), strict=True)
    }


def _goals(lines: tuple[float, ...], settlements: Floats) -> list[schemas.GoalsLine]:
    return [
        schemas.GoalsLine(line=line, over=_bet(settled), under=_bet(settled[::-1]))
        for line, settled in zip(lines, settlements, strict=True)
    ]


def _bet(settled: Floats) -> schemas.Bet:
    price = float(fair_price(settled))
    won, half_won, stake_back, half_lost, lost = settled.tolist()
    return schemas.Bet(
        won=won,
        half_won=half_won,
        stake_back=stake_back,
        half_lost=half_lost,
        lost=lost,
        fair_price=price if math.isfinite(price) else None,
    )


def _scorelines(grids: Floats) -> list[schemas.ScorelineChance]:
    top = top_scorelines(grids, N_SCORELINES)
    return [
        schemas.ScorelineChance(
            home_goals=home, away_goals=away, probability=p, fair_price=1 / p if p > 0 else None
        )
        for home, away, p in zip(
            top.home_goals[0].tolist(),
            top.away_goals[0].tolist(),
            top.probabilities[0].tolist(),
            strict=True,
        )
    ]
