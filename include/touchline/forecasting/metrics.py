"""How good probabilities of home, draw and away are: scores, calibration, and whether a difference is real.

Everywhere `probabilities` is (n, 3) in the order home, draw, away, each row summing to one, and `outcomes` is
(n,) with 0 home, 1 draw, 2 away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from touchline.forecasting.logistic import Floats, Ints, fit_shared, with_intercepts

OUTCOMES = ("home", "draw", "away")
SMALLEST_PROBABILITY = 1e-15
N_CALIBRATION_BINS = 20
N_RESAMPLES = 2000
FLAT = 1e-9


@dataclass(frozen=True)
class Scores:
    """Means over `n` matches. A calibrated forecast has `slope` 1 and `ece` 0.

    Of the other scores, lower is better, except for `accuracy`.
    """

    n: int
    rps: float
    log_loss: float
    brier: float
    accuracy: float
    ece: float
    slope: float


@dataclass(frozen=True)
class Difference:
    """Mean of first minus second over the same matches, with its 95 % interval."""

    difference: float
    low: float
    high: float


def score(probabilities: Floats, outcomes: Ints) -> Scores:
    """Every score of the forecasts. Raises ValueError when there is no match."""
    if len(outcomes) == 0:
        raise ValueError("no match to score: the compared forecasts have none in common")
    return Scores(
        n=len(outcomes),
        rps=float(rps(probabilities, outcomes).mean()),
        log_loss=float(log_loss(probabilities, outcomes).mean()),
        brier=float(brier(probabilities, outcomes).mean()),
        accuracy=float((probabilities.argmax(axis=1) == outcomes).mean()),
        ece=expected_calibration_error(probabilities, outcomes),
        slope=calibration_slope(probabilities, outcomes),
    )


def rps(probabilities: Floats, outcomes: Ints) -> Floats:
    """Ranked probability score of each match, 0 (certain and right) to 1.

    ((p_h - o_h)^2 + (p_h + p_d - o_h - o_d)^2) / 2; Epstein (1969) for three ordered outcomes.
    """
    home = probabilities[:, 0] - (outcomes == 0)
    home_or_draw = probabilities[:, 0] + probabilities[:, 1] - (outcomes <= 1)
    return np.asarray((home**2 + home_or_draw**2) / 2, dtype=np.float64)


def log_loss(probabilities: Floats, outcomes: Ints) -> Floats:
    """Minus the natural logarithm of the probability of the actual outcome, for each match."""
    happened = probabilities[np.arange(len(outcomes)), outcomes]
    return np.asarray(-np.log(np.maximum(happened, SMALLEST_PROBABILITY)), dtype=np.float64)


def brier(probabilities: Floats, outcomes: Ints) -> Floats:
    """Sum of the squared errors of the three outcomes, for each match: 0 to 2; Brier (1950)."""
    return np.asarray(((probabilities - np.eye(3)[outcomes]) ** 2).sum(axis=1), dtype=np.float64)


def calibration_curve(probabilities: Floats, outcomes: Ints) -> tuple[Floats, Floats, Ints]:
    """Mean forecast, observed share and number of the 3n (probability, happened) pairs in each filled bin.

    Bins are `N_CALIBRATION_BINS` of equal width; the three outcomes are pooled.
    """
    forecast = probabilities.ravel()
    happened = np.eye(3)[outcomes].ravel()
    bins = np.minimum((forecast * N_CALIBRATION_BINS).astype(np.int64), N_CALIBRATION_BINS - 1)
    n = np.bincount(bins, minlength=N_CALIBRATION_BINS)
    filled = n > 0
    mean_forecast = np.bincount(bins, forecast, N_CALIBRATION_BINS)[filled] / n[filled]
    share = np.bincount(bins, happened, N_CALIBRATION_BINS)[filled] / n[filled]
    return mean_forecast, share, n[filled]


def expected_calibration_error(probabilities: Floats, outcomes: Ints) -> float:
    """Mean distance between forecast and observed share over the bins of `calibration_curve`."""
    forecast, share, n = calibration_curve(probabilities, outcomes)
    return float(np.average(np.abs(forecast - share), weights=n))


def calibration_slope(probabilities: Floats, outcomes: Ints) -> float:
    """Slope b of the recalibration softmax(a_k + b log p_k): below 1 overconfident, above 1 timid.

    Cox (1958) in its multinomial form (Van Hoorde et al. 2014), with one slope and an intercept per outcome, by
    Newton's method on the concave log likelihood. NaN where that has no maximum: every outcome must occur, and
    forecasts must differ.
    """
    log_p = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
    if len(np.unique(outcomes)) < 3 or np.ptp(log_p - log_p[:, :1], axis=0).max() < FLAT:
        return float("nan")
    try:
        return float(fit_shared(with_intercepts(log_p), outcomes)[0])
    except np.linalg.LinAlgError:
        return float("nan")


@dataclass(frozen=True)
class Resamples:
    """Matchdays drawn with replacement: the day of each match (n,), and how often each day is in each draw."""

    day: Ints
    draws: Floats


def resample_matchdays(
    matchdays: NDArray[np.generic], seed: int, n_resamples: int = N_RESAMPLES
) -> Resamples:
    """Bootstrap draws of whole matchdays (equal values in `matchdays`), to share between comparisons."""
    _, day = np.unique(matchdays, return_inverse=True)
    return Resamples(day, _drawn_days(int(day.max()) + 1, seed, n_resamples))


# Most comparisons of an evaluation are of the same days, and to draw takes longer than to compare.
@lru_cache(maxsize=4)
def _drawn_days(n_days: int, seed: int, n_resamples: int) -> Floats:
    draws = np.random.default_rng(seed).multinomial(n_days, np.full(n_days, 1 / n_days), n_resamples)
    return draws.astype(np.float64)


def paired_difference(first: Floats, second: Floats, resamples: Resamples) -> Difference:
    """Mean of `first - second` (scores of the same matches) with a 95 % interval.

    Paired bootstrap over blocks: whole matchdays are drawn, because matches of one day share weather, calendar
    and news. Efron & Tibshirani (1993), percentile method.
    """
    sums = np.bincount(resamples.day, first - second)
    sizes = np.bincount(resamples.day).astype(np.float64)
    means = (resamples.draws @ sums) / (resamples.draws @ sizes)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(sums.sum() / sizes.sum()), float(low), float(high))
