"""Intervals for ratios of sums, from whole matchdays drawn with replacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import Resamples

TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero is outside the interval."""
        return self.low > 0 or self.high < 0


def ratio(numerator: Floats, denominator: Floats, resamples: Resamples) -> Estimate:
    """Sum of `numerator` (n,) over sum of `denominator` (n,), both of the rows that `resamples` was drawn for.

    Rows that do not belong to the estimate have zero in both; with a denominator of ones the ratio is a mean. Draws
    with a denominator of zero are skipped. Efron & Tibshirani (1993), percentile method, blocks of matchdays.
    """
    n_days = resamples.draws.shape[1]
    over, under = (np.bincount(resamples.day, each, n_days) for each in (numerator, denominator))
    drawn_over, drawn_under = (resamples.draws @ np.column_stack([over, under])).T
    filled = drawn_under != 0
    low, high = np.quantile(drawn_over[filled] / drawn_under[filled], TAILS)
    return Estimate(float(over.sum() / under.sum()), float(low), float(high))


def mean_where(
    values: Floats, where: np.ndarray[tuple[int], np.dtype[np.bool_]], resamples: Resamples
) -> Estimate:
    """Mean of `values` (n,) over the rows of a mask (n,), with its interval."""
    return ratio(np.where(where, values, 0.0), where.astype(np.float64), resamples)
