"""The baselines that any model has to beat: base rates, the market, and a single rating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.errors import NothingToLearn
from touchline.forecasting.design import PRICES, ModelInput, numbers
from touchline.forecasting.logistic import Floats, fit_per_outcome, per_outcome_scores, softmax
from touchline.overround import OverroundMethod, remove_overround
from touchline.ratings import elo, pi

# Rating points, or goals, by which the gap is divided so that it is of order one.
SCALES = {"elo": 400.0, "pi": 1.0}
# A new team's rating in the highest competition of a country, and how much lower it is per tier below.
FIRST = {"elo": (elo.GOALS.first_tier, elo.GOALS.tier_step), "pi": (0.0, pi.GOALS.tier_step)}


@dataclass(frozen=True)
class BaseRates:
    """The same three shares for every match."""

    shares: Floats

    @classmethod
    def fit(cls, matches: ModelInput) -> BaseRates:
        """The shares of home, draw and away in the training matches, with one match of each added."""
        counts = np.bincount(matches.outcomes, minlength=3) + 1.0
        return cls(counts / counts.sum())

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3)."""
        return np.tile(self.shares, (len(matches.frame), 1))


@dataclass(frozen=True)
class Market:
    """The pre-match consensus with the overround removed; NaN where a price is missing."""

    method: OverroundMethod = "power"

    @classmethod
    def fit(cls, matches: ModelInput, method: OverroundMethod) -> Market:
        """Nothing is learnt. Raises NothingToLearn when no training match has prices."""
        market = cls(method)
        if not np.isfinite(market.probabilities(matches)).any():
            raise NothingToLearn("no training match has pre-match prices")
        return market

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3)."""
        return remove_overround(numbers(matches.frame, PRICES), self.method)


@dataclass(frozen=True)
class SingleRating:
    """Multinomial logistic on the gap of one rating and its square. An unrated team gets a new team's rating."""

    rating: str
    coefficients: Floats

    @classmethod
    def fit(cls, matches: ModelInput, rating: str) -> SingleRating:
        """Fitted on the outcomes of the training matches; `rating` is one of `SCALES`."""
        columns = _gap(matches.frame, rating)
        return cls(rating, fit_per_outcome(columns, matches.outcomes, np.ones(len(columns)), ridge=1.0))

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3)."""
        return softmax(per_outcome_scores(_gap(matches.frame, self.rating), self.coefficients))


def _gap(features: pd.DataFrame, rating: str) -> Floats:
    found = numbers(features, (f"home_{rating}", f"away_{rating}")).to_numpy()
    tier = numbers(features, ("competition_tier",)).to_numpy()
    first, step_down = FIRST[rating]
    found = np.where(np.isnan(found), first - step_down * (tier - 1.0), found)
    gap = np.nan_to_num((found[:, 0] - found[:, 1]) / SCALES[rating])
    return np.column_stack([gap, gap**2])
