"""The forecast without a market: results, shots, cards and the calendar only."""

from __future__ import annotations

from dataclasses import dataclass, field

import lightgbm
import numpy as np

from touchline.forecasting.boosting import Boosting, fit_trees, raw_scores
from touchline.forecasting.design import ModelInput, Scale
from touchline.forecasting.logistic import Floats, fit_per_outcome, per_outcome_scores, softmax
from touchline.forecasting.training_weights import by_age

TREES = Boosting(rounds=70, learning_rate=0.085, leaves=6, smallest_leaf=600, feature_share=0.2, ridge=50.0)


@dataclass(frozen=True)
class NoOddsParameters:
    """`ridge` of the linear model, and the half-lives in years by which older matches count less."""

    trees: Boosting = field(default_factory=lambda: TREES)
    ridge: float = 1000.0
    line_half_life: float = 8.0
    trees_half_life: float = 12.0


@dataclass(frozen=True)
class NoOdds:
    """A ridge multinomial logistic, and LightGBM that starts from it and learns what is not linear."""

    trees: lightgbm.Booster
    scale: Scale
    coefficients: Floats

    @classmethod
    def fit(cls, matches: ModelInput, parameters: NoOddsParameters, seed: int) -> NoOdds:
        """Fitted on the outcomes of the training matches."""
        scale = Scale.of(matches.history)
        columns = scale.apply(matches.history)
        weights = by_age(matches.frame, parameters.line_half_life)
        coefficients = fit_per_outcome(columns, matches.outcomes, weights, parameters.ridge)
        start = np.log(softmax(per_outcome_scores(columns, coefficients)))
        weights = by_age(matches.frame, parameters.trees_half_life)
        (trees,) = fit_trees(matches.history, matches.outcomes, parameters.trees, seed, start, weights)
        return cls(trees, scale, coefficients)

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3), for every match."""
        line = per_outcome_scores(self.scale.apply(matches.history), self.coefficients)
        return softmax(line + raw_scores(self.trees, matches.history))
