"""Gradient boosting with LightGBM: many small regularised trees, the same on every machine.

One thread a model: on 2 busy cores two threads cost four times the processor time (they wait for each other
after every tree). The forecaster fits several models side by side instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np

from touchline.forecasting.design import Design
from touchline.forecasting.logistic import Floats

N_THREADS = 1


@dataclass(frozen=True)
class Boosting:
    """Size and regularisation of the trees. `smallest_leaf` counts matches, and is less in small data."""

    rounds: int
    learning_rate: float
    leaves: int
    smallest_leaf: int
    feature_share: float
    ridge: float
    match_share: float = 0.5


def fit_trees(
    design: Design,
    target: np.ndarray[tuple[int], np.dtype[np.generic]],
    boosting: Boosting,
    seed: int,
    start: Floats | None = None,
    weights: Floats | None = None,
) -> lightgbm.Booster:
    """Trees for home, draw and away when `start` (n, 3; log-probabilities to begin from) is given or the
    target is whole numbers 0 to 2; otherwise for the mean of a real target. `weights` (n,) of the matches."""
    is_outcome = np.issubdtype(target.dtype, np.integer)
    parameters = {
        "objective": "multiclass" if is_outcome else "regression",
        "learning_rate": boosting.learning_rate,
        "num_leaves": boosting.leaves,
        "min_data_in_leaf": max(1, min(boosting.smallest_leaf, len(target) // 20)),
        "feature_fraction": boosting.feature_share,
        "bagging_fraction": boosting.match_share,
        "bagging_freq": 1,
        "lambda_l2": boosting.ridge,
        "max_bin": 63,
        "boost_from_average": start is None,
        "seed": seed,
        "num_threads": N_THREADS,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    if is_outcome:
        parameters["num_class"] = 3
    data = lightgbm.Dataset(
        design.values,
        target,
        weight=weights,
        feature_name=list(design.names),
        # LightGBM reads one outcome after the other.
        init_score=None if start is None else start.ravel("F"),
    )
    return lightgbm.train(parameters, data, boosting.rounds)


def raw_scores(trees: lightgbm.Booster, design: Design) -> Floats:
    """What the trees add: (n, 3) log-odds units for outcomes, (n,) for a real target; without the start."""
    return np.asarray(
        trees.predict(design.values, raw_score=True, num_threads=N_THREADS),
        dtype=np.float64,
    )
