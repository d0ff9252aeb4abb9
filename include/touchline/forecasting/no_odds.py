"""The forecast without a market: results, shots, cards and the calendar only."""

from __future__ import annotations

from dataclasses import dataclass, field

import lightgbm
import numpy as np
import pandas as pd

from touchline.forecasting.boosting import Boosting, fit_trees, raw_scores
from touchline.forecasting.design import Scale, history_design
from touchline.forecasting.logistic import Floats, fit_per_outcome, per_outcome_scores, softmax
from touchline.forecasting.training_weights import by_age

TREES = Boosting(rounds=100, learning_rate=0.06, leaves=6, smallest_leaf=600, feature_share=0.2, ridge=50.0)


@dataclass(frozen=True)
class NoOddsParameters:
    """`ridge` of the straight line, and the half-lives in years by which old matches count less."""

    trees: Boosting = field(default_factory=lambda: TREES)
    ridge: float = 300.0
    line_half_life: float = 8.0
    trees_half_life: float = 12.0


@dataclass(frozen=True)
class NoOdds:
    """A ridge multinomial logistic, and LightGBM that goes on from it to what is not a straight line."""

    trees: lightgbm.Booster
    scale: Scale
    coefficients: Floats

    @classmethod
    def fit(cls, matches: pd.DataFrame, parameters: NoOddsParameters, seed: int) -> NoOdds:
        """Fitted on the outcomes of the training matches."""
        design = history_design(matches)
        outcomes = matches["outcome"].to_numpy(dtype=np.int64)
        scale = Scale.of(design)
        columns = scale.apply(design)
        coefficients = fit_per_outcome(
            columns, outcomes, by_age(matches, parameters.line_half_life), parameters.ridge
        )
        start = np.log(softmax(per_outcome_scores(columns, coefficients)))
        weights = by_age(matches, parameters.trees_half_life)
        return cls(fit_trees(design, outcomes, parameters.trees, seed, start, weights), scale, coefficients)

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3), for every match."""
        design = history_design(features)
        line = per_outcome_scores(self.scale.apply(design), self.coefficients)
        return softmax(line + raw_scores(self.trees, design))
