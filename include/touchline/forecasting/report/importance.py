"""Importance of features: exact TreeSHAP, which LightGBM computes itself, and its counterpart for linear models.

Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees": the
contributions of the features to one raw score, plus its expected value, add up to that score exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm
import numpy as np
import pandas as pd

from touchline.forecasting.boosting import N_THREADS
from touchline.forecasting.design import Design, ModelInput
from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.no_odds import NoOdds
from touchline.forecasting.specs import NO_ODDS, WITH_ODDS
from touchline.forecasting.with_odds import WithOdds

# The mean over this many matches is exact to two digits, and takes seconds instead of minutes.
MOST_MATCHES = 4000
# How supremacy and draw, the two coordinates of a price movement, act on home, draw and away.
MOVEMENT = np.array([[0.5, 0.0, -0.5], [0.0, 1.0, 0.0]])


def tree_contributions(booster: lightgbm.Booster, design: Design) -> Floats:
    """(n, features, outcomes) contributions to the raw scores; one score in place of outcomes for a count."""
    told = booster.predict(design.values, pred_contrib=True, num_threads=N_THREADS)
    n, m = design.values.shape
    # One block per outcome, each with the expected value after the features.
    blocks = np.asarray(told, dtype=np.float64).reshape(n, -1, m + 1)
    return np.asarray(blocks[:, :, :m].transpose(0, 2, 1), dtype=np.float64)


def forecaster_importance(forecaster: Forecaster, matches: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute contribution of each feature to the score of a forecast, in log-odds units.

    Columns: forecast, feature, one per outcome, mean.

    For with_odds, the score is what is added to the market's log-odds: movements and residuals together. For no_odds,
    it is the linear model and the trees together. Other forecasts have no rows. `matches` has the catalogue's features;
    of more than `MOST_MATCHES`, an even selection is used.
    """
    seen = ModelInput(matches.iloc[:: max(1, -(-len(matches) // MOST_MATCHES))])
    parts = []
    no_odds, with_odds = (forecaster.candidates.get(name) for name in (NO_ODDS, WITH_ODDS))
    if isinstance(no_odds, NoOdds):
        parts.append(
            _importance(_no_odds(no_odds, seen.history), seen.history.names).assign(forecast=NO_ODDS)
        )
    if isinstance(with_odds, WithOdds):
        parts.append(
            _importance(_with_odds(with_odds, seen.market), seen.market.names).assign(forecast=WITH_ODDS)
        )
    columns = ["forecast", "feature", *OUTCOMES, "mean"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _no_odds(model: NoOdds, design: Design) -> Floats:
    """Home is the reference outcome, so the linear model contributes nothing to its score."""
    weights = np.column_stack([np.zeros(len(design.names)), model.coefficients[1:]])
    return model.scale.apply(design)[:, :, None] * weights + tree_contributions(model.trees, design)


def _with_odds(model: WithOdds, design: Design) -> Floats:
    """Contributions add up as the scores do, so a weighted sum of trees has the weighted sum of theirs."""
    residual = model.residual
    total = residual.share * np.mean([tree_contributions(each, design) for each in residual.trees], axis=0)
    if model.movement is not None:
        weights = model.movement.share * model.movement.coefficients[1:] @ MOVEMENT
        total = total + model.movement.scale.apply(design)[:, :, None] * weights
    return np.asarray(total, dtype=np.float64)


def _importance(contributions: Floats, features: Sequence[str]) -> pd.DataFrame:
    # Relative to the mean match, as in TreeSHAP.
    size = np.abs(contributions - contributions.mean(axis=0)).mean(axis=0)
    found = pd.DataFrame(size, columns=list(OUTCOMES)).assign(mean=size.mean(axis=1))
    found.insert(0, "feature", list(features))
    return found.sort_values("mean", ascending=False, ignore_index=True)
