"""How much each training match counts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats

DAYS_A_YEAR = 365.25


def by_age(matches: pd.DataFrame, half_life: float) -> Floats:
    """Weights (n,) that halve with every `half_life` years before the last match; 1 for the last."""
    age = (matches["kickoff_at"].max() - matches["kickoff_at"]).dt.total_seconds().to_numpy() / 86400
    return np.asarray(0.5 ** (age / DAYS_A_YEAR / half_life), dtype=np.float64)
