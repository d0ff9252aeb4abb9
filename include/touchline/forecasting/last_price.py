"""The forecast made at kick-off, from closing prices: what even the last price leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.forecasting.design import closing_coordinates, closing_design
from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.residual import Residual, ResidualParameters, from_coordinates


@dataclass(frozen=True)
class LastPrice:
    """The close (mean of consensus and Pinnacle in log-odds), recalibrated, plus a share of learnt residuals."""

    residual: Residual

    @classmethod
    def fit(cls, matches: pd.DataFrame, parameters: ResidualParameters, seed: int) -> LastPrice:
        """Fitted on the training matches that have closing prices. Raises ValueError when none has."""
        coordinates = closing_coordinates(matches)[0]
        priced = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
        if not len(priced):
            raise ValueError("no training match has closing prices")
        known, coordinates = matches.iloc[priced], coordinates[priced]
        outcomes = known["outcome"].to_numpy(dtype=np.int64)
        return cls(
            Residual.fit(
                from_coordinates(coordinates), coordinates, closing_design(known), outcomes, parameters, seed
            )
        )

    def probabilities(self, matches: pd.DataFrame) -> Floats:
        """(n, 3); NaN without a closing price. Needs the columns of a training frame, closing prices among them."""
        coordinates = closing_coordinates(matches)[0]
        return softmax(
            self.residual.scores(from_coordinates(coordinates), coordinates, closing_design(matches))
        )
