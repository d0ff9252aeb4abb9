"""The forecast when no model is worth publishing: the market's prices, and base rates where there are none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from touchline.forecasting.baselines import BaseRates
from touchline.forecasting.design import ModelInput
from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.logistic import Floats
from touchline.forecasting.specs import BASE_RATES, MARKET, MARKET_PREMATCH, Candidate
from touchline.forecasting.walk_forward import probabilities_of, probability_columns
from touchline.registry.logged_run import Training, log_training, registered_version, tell_lineage
from touchline.registry.tracking import Registry
from touchline.settings import Settings

# The recipe of a baseline, in place of a digest of parameters and code.
BASELINE: Final = "baseline"


@dataclass(frozen=True)
class WhereSilent:
    """A candidate that cannot forecast every match, and another for the remaining matches."""

    first: Candidate
    otherwise: Candidate

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3), for every match."""
        return _filled(self.first.probabilities(matches), self.otherwise.probabilities(matches))


def register_baseline(registry: Registry, settings: Settings, refused: Training) -> str:
    """Register a version that forecasts the market's probabilities, for the training of a refused version.

    Its held-out predictions are those of market and base rates in the refused version's walk-forward. It is registered
    once per training set. Returns the version; the aliases do not change.
    """
    key = hashlib.sha256(f"{refused.key}|{BASELINE}".encode()).hexdigest()
    version = registered_version(registry, key)
    if version is None:
        forecaster = baseline_forecaster(refused.matches, refused.forecaster)
        training = replace(
            refused, forecaster=forecaster, leaks=(), key=key, recipe=BASELINE,
            predictions=_predicted(refused.predictions, forecaster.primary),
            evaluation=_evaluated(refused.evaluation, forecaster.primary),
        )  # fmt: skip
        version = log_training(registry, training)
    tell_lineage(registry, settings, version, refused.run_id)
    return version


def baseline_forecaster(matches: pd.DataFrame, fitted: Forecaster) -> Forecaster:
    """A forecaster without features that could have seen an outcome.

    Its one forecast is `market` (that of `fitted`, with base rates of `matches` where a match has no price), or
    `base_rates` where `fitted` has no market.
    """
    base_rates = BaseRates.fit(ModelInput(matches))
    if MARKET not in fitted.candidates:
        return Forecaster({BASE_RATES: base_rates}, {}, BASE_RATES)
    return Forecaster({MARKET: WhereSilent(fitted.candidates[MARKET], base_rates)}, {}, MARKET)


def _predicted(predictions: pd.DataFrame, primary: str) -> pd.DataFrame:
    p = _filled(probabilities_of(predictions, MARKET_PREMATCH), probabilities_of(predictions, BASE_RATES))
    return predictions.assign(**dict(zip(probability_columns(primary), p.T, strict=True)))


def _evaluated(evaluation: dict[str, Any], primary: str) -> dict[str, Any]:
    """All forecasts are scored on the matches that all of them cover, where the baseline equals the market."""
    scores = evaluation["forecasts"]
    if primary != MARKET or MARKET_PREMATCH not in scores:
        return evaluation
    return {**evaluation, "forecasts": {**scores, MARKET: scores[MARKET_PREMATCH]}}


def _filled(first: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isfinite(first).all(axis=1, keepdims=True), first, otherwise)
