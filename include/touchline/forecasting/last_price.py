"""The forecast made at kick-off from closing prices, to measure what even the last price leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from touchline.errors import NothingToLearn
from touchline.forecasting.design import ModelInput
from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.residual import Residual, ResidualParameters, from_coordinates


@dataclass(frozen=True)
class LastPrice:
    """The recalibrated close (mean of consensus and Pinnacle in log-odds), plus a share of learnt residuals."""

    residual: Residual

    @classmethod
    def fit(cls, matches: ModelInput, parameters: ResidualParameters, seed: int) -> LastPrice:
        """Fitted on the training matches that have both prices. Raises NothingToLearn when none has."""
        both = np.column_stack([matches.closing_coordinates, matches.prematch_coordinates])
        priced = np.flatnonzero(np.isfinite(both).all(axis=1))
        if not len(priced):
            raise NothingToLearn("no training match has closing prices")
        known = matches.rows(priced)
        coordinates = known.closing_coordinates
        start = from_coordinates(coordinates)
        return cls(Residual.fit(start, coordinates, known.closing, known.outcomes, parameters, seed))

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3); NaN without a closing price. Needs the columns of a training frame, closing prices among them."""
        coordinates = matches.closing_coordinates
        return softmax(self.residual.scores(from_coordinates(coordinates), coordinates, matches.closing))
