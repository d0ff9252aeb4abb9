"""Evaluate a walk-forward: score every forecast on the same matches, and give differences with intervals."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import (
    Resamples,
    log_loss,
    paired_difference,
    resample_matchdays,
    rps,
    score,
)
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_PREMATCH, WITH_ODDS, ladder, pairs
from touchline.forecasting.walk_forward import probabilities_of, probability_columns

# A reference that covers fewer of the matches would shrink the comparison to the matches it happens to cover.
LEAST_COVERAGE = 0.5


def evaluate(predictions: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Scores of the forecasts in a frame of `walk_forward`, on the matches that all of them cover.

    Returns `matches`, `forecasts` by name, `paired` differences (first minus second: below zero, the first is
    better) with 95 % intervals, `gap_closed` (share of the log-loss gap from pre-match to closing market that
    with_odds closes; None where the interval of the gap is not above zero), `seasons` with the same for each season,
    `coverage` (share of all matches) and `left_out` (forecasts that cover less than half of them). Raises ValueError
    when no match is covered.
    """
    there = [name for name in ladder() if probability_columns(name)[0] in predictions]
    coverage = {
        name: float(np.isfinite(probabilities_of(predictions, name)).all(axis=1).mean()) for name in there
    }
    compared = [name for name in there if coverage[name] >= LEAST_COVERAGE]
    covered = np.all(
        [np.isfinite(probabilities_of(predictions, name)).all(axis=1) for name in compared], axis=0
    )
    common = predictions.iloc[np.flatnonzero(covered)]
    by_season = {
        str(season): _evaluate_common(part, compared, seed) for season, part in common.groupby("season")
    }
    return {
        **_evaluate_common(common, compared, seed),
        "seasons": by_season,
        "coverage": coverage,
        "left_out": [name for name in there if name not in compared],
    }


def _evaluate_common(common: pd.DataFrame, compared: list[str], seed: int) -> dict[str, Any]:
    outcomes: Ints = common["outcome"].to_numpy(dtype=np.int64)
    p = {name: probabilities_of(common, name) for name in compared}
    resamples = resample_matchdays(common["kickoff_at"].dt.date.to_numpy(), seed)
    paired = {
        f"{first} - {second}": _compare(p[first], p[second], outcomes, resamples)
        for first, second in pairs()
        if first in p and second in p
    }
    forecasts = {name: _known(asdict(score(p[name], outcomes))) for name in compared}
    return {
        "matches": len(common),
        "forecasts": forecasts,
        "paired": paired,
        "gap_closed": _gap_closed(p, outcomes, resamples),
    }


def _known(scores: dict[str, float]) -> dict[str, Any]:
    """JSON has no NaN, so the slope of a forecast that never varies is None."""
    return {name: None if np.isnan(value) else value for name, value in scores.items()}


def _compare(first: Floats, second: Floats, outcomes: Ints, resamples: Resamples) -> dict[str, Any]:
    return {
        "n": len(outcomes),
        "rps": asdict(paired_difference(rps(first, outcomes), rps(second, outcomes), resamples)),
        "log_loss": asdict(
            paired_difference(log_loss(first, outcomes), log_loss(second, outcomes), resamples)
        ),
    }


def _gap_closed(p: dict[str, Floats], outcomes: Ints, resamples: Resamples) -> float | None:
    if not {WITH_ODDS, MARKET_PREMATCH, MARKET_CLOSING} <= set(p):
        return None
    prematch, closing, ours = (
        log_loss(p[name], outcomes) for name in (MARKET_PREMATCH, MARKET_CLOSING, WITH_ODDS)
    )
    gap = paired_difference(prematch, closing, resamples)
    # A share of a gap that may be none says nothing.
    return float((prematch - ours).mean()) / gap.difference if gap.low > 0 else None
