"""The forecast that starts from the market's pre-match prices and learns what they leave out."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd

from touchline.forecasting.boosting import Boosting, fit_trees, raw_scores
from touchline.forecasting.design import PRICES, market_design, numbers
from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.market import remove_overround
from touchline.forecasting.metrics import OUTCOMES

LARGEST_MOVE = 1.0
MOVEMENT_TREES = Boosting(
    rounds=100, learning_rate=0.1, leaves=15, smallest_leaf=300, feature_share=0.4, ridge=20.0
)
RESIDUAL_TREES = Boosting(
    rounds=75, learning_rate=0.06, leaves=5, smallest_leaf=1000, feature_share=0.2, ridge=100.0
)


@dataclass(frozen=True)
class WithOddsParameters:
    """`residual_share`: how much of what the outcome trees found is believed; outcomes are noisy teachers.

    `movement_share` is above 1 because regularised trees understate the movements they find.

    `fewest_moves`: closing prices needed before movements are learnt at all.
    """

    movement: Boosting = MOVEMENT_TREES
    residual: Boosting = RESIDUAL_TREES
    residual_share: float = 0.5
    movement_share: float = 1.2
    fewest_moves: int = 2000


@dataclass(frozen=True)
class WithOdds:
    """Market log-probabilities, plus the movement expected until the close, plus a share of learnt residuals.

    Two things are learnt from past matches only: how prices moved from the pre-match consensus to the close
    (a precise teacher), and where outcomes differed from the pre-match market (a noisy one). Closing prices
    are never looked at for the match that is forecast.
    """

    movement: tuple[lightgbm.Booster, ...]
    residual: lightgbm.Booster
    residual_share: float
    movement_share: float

    @classmethod
    def fit(cls, matches: pd.DataFrame, parameters: WithOddsParameters, seed: int) -> WithOdds:
        """Fitted on the training matches that have prices. Raises ValueError when none has."""
        priced = matches.iloc[np.flatnonzero(np.isfinite(_log_market(matches)).all(axis=1))]
        if priced.empty:
            raise ValueError("no training match has pre-match prices")
        design, log_p = market_design(priced), _log_market(priced)
        outcomes = priced["outcome"].to_numpy(dtype=np.int64)
        residual = fit_trees(design, outcomes, parameters.residual, seed, start=log_p)
        moves = _coordinates(_log_closing(priced)) - _coordinates(log_p)
        plausible = np.flatnonzero((np.abs(moves) < LARGEST_MOVE).all(axis=1))
        movement: tuple[lightgbm.Booster, ...] = ()
        if len(plausible) >= parameters.fewest_moves:
            movement = tuple(
                fit_trees(design.iloc[plausible], moves[plausible, axis], parameters.movement, seed)
                for axis in range(2)
            )
        return cls(movement, residual, parameters.residual_share, parameters.movement_share)

    def probabilities(self, features: pd.DataFrame) -> Floats:
        """(n, 3); NaN where a price is missing."""
        log_p = _log_market(features)
        design = market_design(features)
        scores = log_p + self.residual_share * raw_scores(self.residual, design)
        if self.movement:
            supremacy, draw = (raw_scores(trees, design) for trees in self.movement)
            moves = np.stack([supremacy / 2, draw, -supremacy / 2], axis=1)
            scores = scores + self.movement_share * moves
        return softmax(scores)


def _log_market(features: pd.DataFrame) -> Floats:
    return np.asarray(np.log(remove_overround(numbers(features, PRICES))), dtype=np.float64)


def _log_closing(matches: pd.DataFrame) -> Floats:
    """The sharpest closing price there is: Pinnacle's, else the consensus."""
    pinnacle, consensus = (
        remove_overround(matches[[f"{source}_{outcome}" for outcome in OUTCOMES]].astype("float64"))
        for source in ("closing_pinnacle", "closing_price")
    )
    return np.asarray(np.log(np.where(np.isfinite(pinnacle), pinnacle, consensus)), dtype=np.float64)


def _coordinates(log_p: Floats) -> Floats:
    """(n, 2): log ratio of home to away, and of the draw to their geometric mean."""
    return np.stack([log_p[:, 0] - log_p[:, 2], log_p[:, 1] - (log_p[:, 0] + log_p[:, 2]) / 2], axis=1)
