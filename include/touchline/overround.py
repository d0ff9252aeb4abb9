"""From prices to probabilities: taking the bookmaker's overround out."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

OverroundMethod = Literal["power", "shin", "proportional"]
METHODS: tuple[OverroundMethod, ...] = get_args(OverroundMethod)

NEWTON_STEPS = 60
BISECTION_STEPS = 60


def remove_overround(prices: ArrayLike, method: OverroundMethod = "power") -> Floats:
    """Probabilities (n, k) that sum to one, from decimal prices (n, k) of k exclusive outcomes.

    A row with a missing price or one not above 1 becomes NaN.
    * power: p = (1 / price)^c, the c that makes them sum to one (Clarke, Kovalchik & Ingram 2017)
    * shin: a share z of bettors knows the result (Shin 1993; Jullien & Salanie 1994)
    * proportional: p proportional to 1 / price
    A row's probabilities are the same bits whatever other rows come with it: stored ratings rest on them.
    """
    quoted = np.ascontiguousarray(prices, dtype=np.float64)
    usable = np.all(np.isfinite(quoted) & (quoted > 1), axis=1)
    probabilities = np.full(quoted.shape, np.nan)
    inverse = 1 / quoted[usable]
    if len(inverse):
        fair = {"power": _power, "shin": _shin, "proportional": _proportional}[method](inverse)
        # Solvers stop a rounding error short of one; the ledger asks for the exact sum.
        probabilities[usable] = _proportional(fair)
    return probabilities


def log_odds(prices: ArrayLike) -> Floats:
    """Supremacy and draw (n, 2) of match result prices (n, 3), overround removed by the power method; NaN as they.

    Supremacy is log(p_home / p_away), draw is log(p_draw) less the mean of log(p_home) and log(p_away).
    """
    with np.errstate(invalid="ignore"):
        log_p = np.log(remove_overround(prices))
    return np.column_stack([log_p[:, 0] - log_p[:, 2], log_p[:, 1] - (log_p[:, 0] + log_p[:, 2]) / 2])


def overround(prices: ArrayLike) -> Floats:
    """Sum of the inverse prices minus one (n,): 0.05 is a margin of five per cent. NaN as the prices."""
    return np.asarray((1 / np.asarray(prices, dtype=np.float64)).sum(axis=1) - 1, dtype=np.float64)


def _proportional(inverse: Floats) -> Floats:
    return np.asarray(inverse / inverse.sum(axis=1, keepdims=True), dtype=np.float64)


def _power(inverse: Floats) -> Floats:
    log_inverse = np.log(inverse)
    exponent = np.ones((len(inverse), 1))
    # sum(q^c) is convex and falls with c, so Newton's steps come down on the root from one side.
    for _ in range(NEWTON_STEPS):
        powers = np.exp(exponent * log_inverse)
        excess = powers.sum(axis=1, keepdims=True) - 1
        is_short = np.abs(excess) >= 1e-13
        if not is_short.any():
            break
        # A row at its root stays there while others go on: another step would move its last bit.
        step = excess / (powers * log_inverse).sum(axis=1, keepdims=True)
        exponent = np.where(is_short, exponent - step, exponent)
    return np.asarray(np.exp(exponent * log_inverse), dtype=np.float64)


def _shin(inverse: Floats) -> Floats:
    total = inverse.sum(axis=1, keepdims=True)
    low, high = np.zeros_like(total), np.full_like(total, 1 - 1e-9)
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        too_much = _shin_at(inverse, total, middle).sum(axis=1, keepdims=True) > 1
        low, high = np.where(too_much, middle, low), np.where(too_much, high, middle)
    # Without a margin nobody needs protection from insiders: z is 0 and proportional is exact.
    return np.where(total > 1, _shin_at(inverse, total, low), inverse)


def _shin_at(inverse: Floats, total: Floats, insiders: Floats) -> Floats:
    root = np.sqrt(insiders**2 + 4 * (1 - insiders) * inverse**2 / total)
    return np.asarray((root - insiders) / (2 * (1 - insiders)), dtype=np.float64)
