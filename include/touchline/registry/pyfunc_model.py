"""The form in which a forecaster lies in the registry: anything that speaks MLflow can ask it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from touchline.forecasting.forecaster import Forecaster


class ForecastModel(PythonModel):
    """Features in (the catalogue's columns), the primary forecast out, one row a match."""

    def __init__(self, forecaster: Forecaster) -> None:
        self.forecaster = forecaster

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Columns p_home, p_draw, p_away, expected_home_goals, expected_away_goals."""
        del context, params
        forecast = self.forecaster.predict(model_input)[self.forecaster.primary]
        return pd.DataFrame(
            np.column_stack([forecast.probabilities, forecast.expected_goals]),
            columns=["p_home", "p_draw", "p_away", "expected_home_goals", "expected_away_goals"],
            index=model_input.index,
        )
