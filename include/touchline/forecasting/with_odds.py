"""The forecast that starts from the market's pre-match prices and learns what they leave out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from touchline.errors import NothingToLearn
from touchline.forecasting.design import PRICE_HOURS, Design, ModelInput, Scale
from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.residual import Residual, ResidualParameters, from_coordinates
from touchline.forecasting.training_weights import by_age

LARGEST_MOVE = 1.0
# Prices from three to five hours before kick-off still move half as far as those of the day before, and earlier ones
# hardly further. Of 2, 3, 5, 8, 12 and 24 hours, this explains most of the movements of 2018/19 to 2021/22.
HOURS_OF_MOVEMENT = 5.0


@dataclass(frozen=True)
class MovementParameters:
    """`share` is the part of the expected movement that is applied, to both supremacy and draw.

    `fewest_moves` closing prices are needed before movements are learnt at all.
    """

    ridge: float = 300.0
    half_life: float = 4.0
    share: float = 1.1
    fewest_moves: int = 2000


@dataclass(frozen=True)
class WithOddsParameters:
    """Parameters of the expected movement of prices, and of the correction learnt from outcomes."""

    movement: MovementParameters = field(default_factory=MovementParameters)
    residual: ResidualParameters = field(default_factory=ResidualParameters)


@dataclass(frozen=True)
class Movement:
    """A ridge regression of how far prices move from pre-match to the close, in supremacy and draw.

    The full movement is regressed on what was known. A price from h hours before kick-off still has 1 - exp(-h / 5)
    of it ahead.
    """

    scale: Scale
    coefficients: Floats
    share: float

    @classmethod
    def fit(cls, design: Design, moves: Floats, weights: Floats, parameters: MovementParameters) -> Movement:
        """Fitted on the `moves` (n, 2) of past matches."""
        scale = Scale.of(design)
        columns = _still_to_come(design) * np.column_stack([np.ones(len(moves)), scale.apply(design)])
        penalty = np.diag(np.r_[0.0, np.full(columns.shape[1] - 1, parameters.ridge)])
        weighted = columns * weights[:, None]
        found = np.linalg.solve(weighted.T @ columns + penalty, weighted.T @ moves)
        return cls(scale, np.asarray(found, dtype=np.float64), parameters.share)

    def expected(self, design: Design) -> Floats:
        """The expected movement (n, 2); smaller the closer the price is to kick-off, and zero at kick-off."""
        whole = self.coefficients[0] + self.scale.apply(design) @ self.coefficients[1:]
        return np.asarray(self.share * _still_to_come(design) * whole, dtype=np.float64)


@dataclass(frozen=True)
class WithOdds:
    """Market log-odds, plus the movement expected until the close, plus a share of learnt residuals.

    Two things are learnt from past matches: how prices moved from the pre-match consensus to the close (precise
    data), and where outcomes differed from that (noisy data). Closing prices of the match being forecast are never
    used.
    """

    movement: Movement | None
    residual: Residual

    @classmethod
    def fit(cls, matches: ModelInput, parameters: WithOddsParameters, seed: int) -> WithOdds:
        """Fitted on the training matches that have prices. Raises NothingToLearn when none has."""
        priced = np.flatnonzero(np.isfinite(matches.prematch_coordinates).all(axis=1))
        if not len(priced):
            raise NothingToLearn("no training match has pre-match prices")
        known = matches.rows(priced)
        coordinates, design = known.prematch_coordinates, known.market
        moves = known.closing_coordinates - coordinates
        plausible = np.flatnonzero((np.abs(moves) < LARGEST_MOVE).all(axis=1))
        movement = None
        if len(plausible) >= parameters.movement.fewest_moves:
            weights = by_age(known.frame, parameters.movement.half_life)[plausible]
            movement = Movement.fit(design.rows(plausible), moves[plausible], weights, parameters.movement)
        start = from_coordinates(_moved(movement, coordinates, design))
        return cls(
            movement, Residual.fit(start, coordinates, design, known.outcomes, parameters.residual, seed)
        )

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3); NaN where a price is missing."""
        coordinates = matches.prematch_coordinates
        start = from_coordinates(_moved(self.movement, coordinates, matches.market))
        return softmax(self.residual.scores(start, coordinates, matches.market))


def _still_to_come(design: Design) -> Floats:
    """Share (n, 1) of the movement until the close that is still ahead of a price."""
    hours = np.nan_to_num(design.column(PRICE_HOURS))
    return np.asarray(1.0 - np.exp(-hours / HOURS_OF_MOVEMENT), dtype=np.float64)[:, None]


def _moved(movement: Movement | None, coordinates: Floats, design: Design) -> Floats:
    return coordinates if movement is None else coordinates + movement.expected(design)
