"""Evaluate a walk-forward: score forecasts on the same matches, and give differences with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from touchline.forecasting.logistic import Ints
from touchline.forecasting.metrics import (
    Resamples,
    log_loss,
    paired_difference,
    resample_matchdays,
    rps,
    score,
)
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_PREMATCH, WITH_ODDS, at_close, ladder, pairs
from touchline.forecasting.walk_forward import probabilities_of, probability_columns

# A forecast that covers fewer of the matches would shrink the comparison to those it happens to cover.
LEAST_COVERAGE = 0.5
# Closing prices may end or begin where all else goes on: this share of the matches that have pre-match prices.
LEAST_AT_CLOSE = 0.95

Mask = NDArray[np.bool_]


def evaluate(predictions: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Scores of the forecasts in a frame of `walk_forward`.

    Returns `matches` and `forecasts` by name, on the matches that all of `comparable` cover; `paired` differences
    (first minus second: below zero, the first is better) with 95 % intervals, each on the `n` matches that both cover;
    `gap_closed` (share of the log-loss gap from pre-match to closing market that with_odds closes, on the matches that
    have the three; None where the interval of the gap is not above zero); `seasons` with the same for each season;
    `coverage` (share of all matches) and `left_out` (forecasts that are in pairs alone). Raises ValueError when no
    match is covered.
    """
    there = [name for name in ladder() if probability_columns(name)[0] in predictions]
    covers = {name: covered(predictions, name) for name in there}
    compared = comparable(covers)
    by_season = {
        str(season): _evaluate(predictions.loc[rows], compared, seed)
        for season, rows in predictions.groupby("season").groups.items()
        if np.all([covered(predictions.loc[rows], name) for name in compared], axis=0).any()
    }
    return {
        **_evaluate(predictions, compared, seed),
        "seasons": by_season,
        "coverage": {name: float(mask.mean()) for name, mask in covers.items()},
        "left_out": [name for name in there if name not in compared],
    }


def covered(predictions: pd.DataFrame, name: str) -> Mask:
    """Which matches of a frame of `walk_forward` have a forecast."""
    return np.asarray(np.isfinite(probabilities_of(predictions, name)).all(axis=1))


def comparable(covers: Mapping[str, Mask], needed: Sequence[str] = ()) -> list[str]:
    """The forecasts to compare on the matches that all of them cover, by the matches that each covers.

    They cover at least half of the matches, and those made at the close, unless they are `needed`, nearly all that have
    pre-match prices.
    """
    priced = covers.get(MARKET_PREMATCH)
    if priced is None or priced.mean() < LEAST_COVERAGE:
        priced = np.ones(len(next(iter(covers.values()))), dtype=np.bool_)
    return [
        name
        for name, mask in covers.items()
        if mask.mean() >= LEAST_COVERAGE
        and (name in needed or not name.startswith(at_close()) or mask[priced].mean() >= LEAST_AT_CLOSE)
    ]


def _evaluate(predictions: pd.DataFrame, compared: list[str], seed: int) -> dict[str, Any]:
    common = _covered_by(predictions, compared)
    outcomes = _outcomes(common)
    return {
        "matches": len(common),
        "forecasts": {
            name: _known(asdict(score(probabilities_of(common, name), outcomes))) for name in compared
        },
        "paired": {
            f"{first} - {second}": _compare(own, first, second, seed)
            for first, second in pairs()
            if len(own := _covered_by(predictions, [first, second]))
        },
        "gap_closed": _gap_closed(predictions, seed),
    }


def _covered_by(predictions: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The matches that all of these forecasts cover; none when one is not in the frame."""
    if any(probability_columns(name)[0] not in predictions for name in names):
        return predictions.iloc[:0]
    return predictions.iloc[np.flatnonzero(np.all([covered(predictions, name) for name in names], axis=0))]


def _outcomes(matches: pd.DataFrame) -> Ints:
    return matches["outcome"].to_numpy(dtype=np.int64)


def _known(scores: dict[str, float]) -> dict[str, Any]:
    """JSON has no NaN, so the slope of a forecast that never varies is None."""
    return {name: None if np.isnan(value) else value for name, value in scores.items()}


def _compare(matches: pd.DataFrame, first: str, second: str, seed: int) -> dict[str, Any]:
    p, outcomes = [probabilities_of(matches, name) for name in (first, second)], _outcomes(matches)
    resamples = _resamples(matches, seed)
    return {
        "n": len(matches),
        **{
            name: asdict(paired_difference(loss(p[0], outcomes), loss(p[1], outcomes), resamples))
            for name, loss in (("rps", rps), ("log_loss", log_loss))
        },
    }


def _resamples(matches: pd.DataFrame, seed: int) -> Resamples:
    return resample_matchdays(matches["kickoff_at"].dt.date.to_numpy(), seed)


def _gap_closed(predictions: pd.DataFrame, seed: int) -> float | None:
    names = (MARKET_PREMATCH, MARKET_CLOSING, WITH_ODDS)
    matches = _covered_by(predictions, names)
    if matches.empty:
        return None
    prematch, closing, ours = (
        log_loss(probabilities_of(matches, name), _outcomes(matches)) for name in names
    )
    gap = paired_difference(prematch, closing, _resamples(matches, seed))
    # A share of a gap that may be none says nothing.
    return float((prematch - ours).mean()) / gap.difference if gap.low > 0 else None
