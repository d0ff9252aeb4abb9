"""What the trees look at: exact TreeSHAP, which LightGBM computes itself.

Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees": the
contributions of the features to one raw score, and its expected value, add up to that score exactly.
"""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd

from touchline.forecasting.boosting import N_THREADS
from touchline.forecasting.design import history_design, market_design
from touchline.forecasting.forecaster import NO_ODDS, WITH_ODDS, Forecaster
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.no_odds import NoOdds
from touchline.forecasting.with_odds import WithOdds

# The mean of so many matches is known to two digits, and takes seconds instead of minutes.
MOST_MATCHES = 4000
# How supremacy and draw, the two coordinates of a price movement, act on home, draw and away.
MOVEMENT = np.array([[0.5, 0.0, -0.5], [0.0, 1.0, 0.0]])


def tree_contributions(booster: lightgbm.Booster, design: pd.DataFrame) -> Floats:
    """(n, features, outcomes) contributions to the raw scores; one score in place of outcomes for a real target."""
    told = booster.predict(design.to_numpy(dtype=np.float32), pred_contrib=True, num_threads=N_THREADS)
    n, m = design.shape
    # One block an outcome, and in each the expected value after the features.
    blocks = np.asarray(told, dtype=np.float64).reshape(n, -1, m + 1)
    return np.asarray(blocks[:, :, :m].transpose(0, 2, 1), dtype=np.float64)


def tree_importance(booster: lightgbm.Booster, design: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute contribution of each feature, in log-odds units: feature, one column an outcome, mean.

    Of a booster with a real target the only column beside `mean` is `score`.
    """
    return _importance(tree_contributions(booster, design), design.columns)


def forecaster_importance(forecaster: Forecaster, matches: pd.DataFrame) -> pd.DataFrame:
    """The same for the boosted forecasts of a forecaster, with the name of the `forecast` in front.

    with_odds: what its trees add to the market's log-probabilities, movements and residuals together.
    no_odds: its boosted half.
    `matches` has the catalogue's features; of more than `MOST_MATCHES` an even selection is looked at.
    """
    seen = matches.iloc[:: max(1, -(-len(matches) // MOST_MATCHES))]
    parts = []
    no_odds, with_odds = (forecaster.candidates.get(name) for name in (NO_ODDS, WITH_ODDS))
    if isinstance(no_odds, NoOdds):
        parts.append(tree_importance(no_odds.trees, history_design(seen)).assign(forecast=NO_ODDS))
    if isinstance(with_odds, WithOdds):
        design = market_design(seen)
        parts.append(_importance(_with_odds(with_odds, design), design.columns).assign(forecast=WITH_ODDS))
    return pd.concat(parts, ignore_index=True)[["forecast", "feature", *OUTCOMES, "mean"]]


def _with_odds(model: WithOdds, design: pd.DataFrame) -> Floats:
    """Contributions add up as the scores do, so a weighted sum of trees has the weighted sum of theirs."""
    total = model.residual_share * tree_contributions(model.residual, design)
    for trees, direction in zip(model.movement, MOVEMENT, strict=False):
        total = total + model.movement_share * tree_contributions(trees, design) * direction
    return np.asarray(total, dtype=np.float64)


def _importance(contributions: Floats, features: pd.Index[str]) -> pd.DataFrame:
    size = np.abs(contributions).mean(axis=0)
    names = list(OUTCOMES) if size.shape[1] == len(OUTCOMES) else ["score"]
    found = pd.DataFrame(size, columns=names).assign(mean=size.mean(axis=1))
    found.insert(0, "feature", [str(name) for name in features])
    return found.sort_values("mean", ascending=False, ignore_index=True)
