"""Find the features that each column of a design is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pandas as pd

from touchline.features.catalogue import FEATURES
from touchline.forecasting.design import Design, history_design, market_design
from touchline.forecasting.specs import NO_ODDS, WITH_ODDS

# Numbers that can be prices as well as ratings: two or three prices of 1.8 have an overround above one.
LOWEST, HIGHEST = 1.7, 1.9
CHANGE = 1.05
# Smaller differences are rounding errors where a feature cancels out.
SMALLEST_MOVE = 1e-5
DESIGNS: Mapping[str, Callable[[pd.DataFrame], Design]] = {NO_ODDS: history_design, WITH_ODDS: market_design}


@cache
def sources(forecast: str) -> Mapping[str, tuple[str, ...]]:
    """The features behind each column that a forecast of `DESIGNS` sees, in the order of the catalogue.

    They are found by experiment, so that they are always true of the actual design: one feature of a match is changed
    at a time. Rows of a design depend only on their own match, so all changes are tried at once. The treatment of
    unknown features is not examined.
    """
    match = np.linspace(LOWEST, HIGHEST, len(FEATURES))
    matches = np.vstack([match, match * (1 + (CHANGE - 1) * np.eye(len(FEATURES)))])
    design = DESIGNS[forecast](pd.DataFrame(matches, columns=list(FEATURES)))
    is_moved = np.abs(design.values[1:] - design.values[0]) > SMALLEST_MOVE
    return {
        column: tuple(FEATURES[feature] for feature in np.flatnonzero(is_moved[:, place]))
        for place, column in enumerate(design.names)
    }
