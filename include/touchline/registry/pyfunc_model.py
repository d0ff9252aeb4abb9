"""The form in which a forecaster is stored in the registry: any MLflow client can use it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.metrics import OUTCOMES

COLUMNS = ("p_home", "p_draw", "p_away", "expected_home_goals", "expected_away_goals")
LEVEL = 0.9
UNCERTAIN = (
    *(f"p_{outcome}_{end}" for end in ("low", "high") for outcome in OUTCOMES),
    *(f"in_set_{outcome}" for outcome in OUTCOMES),
)


class ForecastModel(PythonModel):
    """Features in (the catalogue's columns), the primary forecast out, one row per match."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Probabilities and expected goals (`COLUMNS`), followed by their uncertainty (`UNCERTAIN`).

        p_<outcome>_low and _high enclose the true probability with probability `LEVEL`. in_set_<outcome> says whether
        the outcome is in the prediction set of that coverage. Without a rehearsal, intervals are NaN and sets hold all.
        """
        del context, params
        forecasts = self.forecaster.predict(model_input)
        forecast = forecasts[self.forecaster.primary]
        said = {name: each.probabilities for name, each in forecasts.items()}
        found = self.forecaster.intervals(said, LEVEL)
        unknown = np.full_like(forecast.probabilities, np.nan)
        low, high = (unknown, unknown) if found is None else (found.low, found.high)
        in_set = np.ones_like(unknown)
        if self.forecaster.sets is not None:
            in_set = self.forecaster.sets.sets(forecast.probabilities, LEVEL).astype(np.float64)
        return pd.DataFrame(
            np.column_stack([forecast.probabilities, forecast.expected_goals, low, high, in_set]),
            columns=[*COLUMNS, *UNCERTAIN],
            index=model_input.index,
        )
