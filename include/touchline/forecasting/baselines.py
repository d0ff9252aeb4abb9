"""What any model has to beat: base rates, the market, and a single rating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.forecasting.design import PRICES, numbers
from touchline.forecasting.logistic import Floats, fit_per_outcome, per_outcome_scores, softmax
from touchline.overround import OverroundMethod, remove_overround

ELO_SCALE = 400.0


@dataclass(frozen=True)
class BaseRates:
    """The same three shares for every match."""

    shares: Floats

    @classmethod
    def fit(cls, matches: pd.DataFrame) -> BaseRates:
        """Shares of home, draw and away in the training matches, one of each added."""
        counts = np.bincount(matches["outcome"].to_numpy(dtype=np.int64), minlength=3) + 1.0
        return cls(counts / counts.sum())

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3)."""
        return np.tile(self.shares, (len(features), 1))


@dataclass(frozen=True)
class Market:
    """The pre-match consensus with the overround removed; NaN where a price is missing."""

    method: OverroundMethod = "power"

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3)."""
        return remove_overround(numbers(features, PRICES), self.method)


@dataclass(frozen=True)
class Elo:
    """Multinomial logistic on the Elo gap and its square; two unrated teams count as equal."""

    coefficients: Floats

    @classmethod
    def fit(cls, matches: pd.DataFrame) -> Elo:
        """Fitted on the outcomes of the training matches."""
        outcomes = matches["outcome"].to_numpy(dtype=np.int64)
        return cls(fit_per_outcome(_elo_columns(matches), outcomes, np.ones(len(matches)), ridge=1.0))

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3)."""
        return softmax(per_outcome_scores(_elo_columns(features), self.coefficients))


def _elo_columns(features: pd.DataFrame) -> Floats:
    elo = numbers(features, ("home_elo", "away_elo")).to_numpy()
    gap = np.nan_to_num((elo[:, 0] - elo[:, 1]) / ELO_SCALE)
    return np.column_stack([gap, gap**2])
