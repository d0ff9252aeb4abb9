"""Corrections of prices: a few coefficients that recalibrate them, then small trees for what prices leave out."""

from __future__ import annotations

from dataclasses import dataclass, field

import lightgbm
import numpy as np

from touchline.forecasting.boosting import Boosting, fit_trees, raw_scores
from touchline.forecasting.design import Design
from touchline.forecasting.logistic import Floats, Ints, fit_shared, softmax

RESIDUAL_TREES = Boosting(
    rounds=50, learning_rate=0.09, leaves=5, smallest_leaf=1000, feature_share=0.2, ridge=100.0
)


@dataclass(frozen=True)
class ResidualParameters:
    """`share` is the part of the trees' correction that is applied, because outcomes are noisy.

    `ridge` keeps the coefficients of the recalibration small. `bags` fits of the trees, each with its own seed, are
    averaged.
    """

    trees: Boosting = field(default_factory=lambda: RESIDUAL_TREES)
    share: float = 0.6
    ridge: float = 200.0
    bags: int = 2


@dataclass(frozen=True)
class Residual:
    """`coefficients` of supremacy, of the draw (about its mean), and for draw and away win; and the trees."""

    coefficients: Floats
    mean_draw: float
    trees: tuple[lightgbm.Booster, ...]
    share: float

    @classmethod
    def fit(
        cls, scores: Floats, coordinates: Floats, design: Design, outcomes: Ints, parameters: ResidualParameters,
        seed: int,
    ) -> Residual:  # fmt: skip
        """Fitted on outcomes (n,), starting from `scores` (n, 3). `coordinates` (n, 2) are those of the prices."""
        mean_draw = float(coordinates[:, 1].mean())
        terms = _terms(coordinates, mean_draw)
        coefficients = fit_shared(terms, outcomes, parameters.ridge, offset=scores)
        start = np.log(softmax(scores + terms @ coefficients))
        trees = fit_trees(design, outcomes, parameters.trees, seed, start, bags=parameters.bags)
        return cls(coefficients, mean_draw, trees, parameters.share)

    def scores(self, scores: Floats, coordinates: Floats, design: Design) -> Floats:
        """The corrected `scores` (n, 3)."""
        found = np.mean([raw_scores(trees, design) for trees in self.trees], axis=0)
        return np.asarray(
            scores + _terms(coordinates, self.mean_draw) @ self.coefficients + self.share * found,
            dtype=np.float64,
        )


def from_coordinates(coordinates: Floats) -> Floats:
    """Scores (n, 3) of supremacy and draw (n, 2). Their softmax gives the original probabilities."""
    half = coordinates[:, 0] / 2
    return np.column_stack([half, coordinates[:, 1], -half])


def _terms(coordinates: Floats, mean_draw: float) -> Floats:
    terms = np.zeros((len(coordinates), 3, 4))
    terms[:, 0, 0], terms[:, 2, 0] = coordinates[:, 0] / 2, -coordinates[:, 0] / 2
    terms[:, 1, 1] = coordinates[:, 1] - mean_draw
    terms[:, 1, 2] = terms[:, 2, 3] = 1.0
    return terms
