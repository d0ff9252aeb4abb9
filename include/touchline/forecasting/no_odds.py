"""The forecast without a market: results, shots and the calendar only."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd

from touchline.forecasting.boosting import Boosting, fit_trees, raw_scores
from touchline.forecasting.design import Scale, history_design
from touchline.forecasting.logistic import Floats, fit_per_outcome, per_outcome_scores, softmax

DAYS_A_YEAR = 365.25


TREES = Boosting(rounds=120, learning_rate=0.1, leaves=5, smallest_leaf=500, feature_share=0.2, ridge=20.0)


@dataclass(frozen=True)
class NoOddsParameters:
    """`half_life` in years: how fast old matches lose weight in the linear half, which cannot tell eras apart."""

    trees: Boosting = TREES
    ridge: float = 500.0
    half_life: float = 8.0


@dataclass(frozen=True)
class NoOdds:
    """LightGBM and a ridge multinomial logistic on the same columns, averaged in log-odds."""

    trees: lightgbm.Booster
    scale: Scale
    coefficients: Floats

    @classmethod
    def fit(cls, matches: pd.DataFrame, parameters: NoOddsParameters, seed: int) -> NoOdds:
        """Fitted on the outcomes of the training matches."""
        design = history_design(matches)
        outcomes = matches["outcome"].to_numpy(dtype=np.int64)
        trees = fit_trees(design, outcomes, parameters.trees, seed)
        scale = Scale.of(design)
        age = (matches["kickoff_at"].max() - matches["kickoff_at"]).dt.total_seconds().to_numpy() / 86400
        weights = 0.5 ** (age / DAYS_A_YEAR / parameters.half_life)
        coefficients = fit_per_outcome(scale.apply(design), outcomes, weights, parameters.ridge)
        return cls(trees, scale, coefficients)

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3), for every match."""
        design = history_design(features)
        by_trees = np.log(softmax(raw_scores(self.trees, design)))
        by_line = np.log(softmax(per_outcome_scores(self.scale.apply(design), self.coefficients)))
        return softmax((by_trees + by_line) / 2)
