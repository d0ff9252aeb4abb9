"""Calibration by probability and by outcome: do outcomes occur as often as forecast?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import N_CALIBRATION_BINS, OUTCOMES

TAILS = (0.025, 0.975)
POOLED = "pooled"
# The share of a bin that was hardly ever forecast is mostly chance, but attracts attention.
FEWEST_IN_BIN = 50


@dataclass(frozen=True)
class CalibrationCell:
    """Forecasts of one outcome in one bin of probability.

    `low` to `high` is where the share would be in 95 of 100 such bins if every forecast were right (binomial).
    """

    outcome: str
    bin_low: float
    bin_high: float
    n: int
    forecast: float
    share: float
    low: float
    high: float

    @property
    def is_within(self) -> bool:
        """Whether chance alone explains the distance of the share from the forecast."""
        return self.low <= self.share <= self.high


def calibration_cells(probabilities: Floats, outcomes: Ints) -> list[CalibrationCell]:
    """Cells of each outcome and bin of equal width; those with fewer than `FEWEST_IN_BIN` are left out.

    `probabilities` (n, 3), `outcomes` (n,); the bins are those of the expected calibration error.
    """
    return [
        cell
        for k, name in enumerate(OUTCOMES)
        for cell in _cells(name, probabilities[:, k], (outcomes == k).astype(np.float64))
    ]


def pooled_cells(probabilities: Floats, outcomes: Ints) -> list[CalibrationCell]:
    """The same with the three outcomes of every match pooled.

    The three outcomes of a match depend on each other, so the binomial band is a little too wide here.
    """
    return _cells(POOLED, probabilities.ravel(), np.eye(3)[outcomes].ravel())


def calibration_at_large(probabilities: Floats, outcomes: Ints) -> list[CalibrationCell]:
    """One cell per outcome: mean forecast and observed share over all matches."""
    return [
        _cell(name, 0.0, 1.0, probabilities[:, k], (outcomes == k).astype(np.float64))
        for k, name in enumerate(OUTCOMES)
    ]


def _cells(outcome: str, forecast: Floats, happened: Floats) -> list[CalibrationCell]:
    bins = np.minimum((forecast * N_CALIBRATION_BINS).astype(np.int64), N_CALIBRATION_BINS - 1)
    return [
        _cell(
            outcome,
            each / N_CALIBRATION_BINS,
            (each + 1) / N_CALIBRATION_BINS,
            forecast[bins == each],
            happened[bins == each],
        )
        for each in range(N_CALIBRATION_BINS)
        if (bins == each).sum() >= FEWEST_IN_BIN
    ]


def _cell(outcome: str, low: float, high: float, forecast: Floats, happened: Floats) -> CalibrationCell:
    n, mean = len(forecast), float(forecast.mean())
    band = binom.ppf(TAILS, n, mean) / n
    return CalibrationCell(
        outcome, low, high, n, mean, float(happened.mean()), float(band[0]), float(band[1])
    )
