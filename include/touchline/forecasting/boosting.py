"""Gradient boosting with LightGBM: many small regularised trees, the same on every machine.

Each model uses one thread: on 2 busy cores, two threads cost four times the processor time, because they wait for
each other after every tree. The forecaster fits several models side by side instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from touchline.forecasting.design import Design
from touchline.forecasting.logistic import Floats, Ints

N_THREADS = 1


@dataclass(frozen=True)
class Boosting:
    """Size and regularisation of the trees. `smallest_leaf` counts matches, and is reduced for small data."""

    rounds: int
    learning_rate: float
    leaves: int
    smallest_leaf: int
    feature_share: float
    ridge: float
    match_share: float = 0.5


def fit_trees(
    design: Design,
    outcomes: Ints,
    boosting: Boosting,
    seed: int,
    start: Floats,
    weights: Floats | None = None,
    bags: int = 1,
) -> tuple[lightgbm.Booster, ...]:
    """Trees for home, draw and away (`outcomes` (n,), 0 to 2), starting from the log-probabilities `start` (n, 3).

    `weights` (n,) are those of the matches. Returns `bags` boosters fitted to the same binned data, with seeds from
    `seed` on.
    """
    parameters = {"objective": "multiclass", "num_class": 3}
    # LightGBM expects one outcome after the other.
    return _train(design, outcomes, boosting, seed, start.ravel("F"), weights, parameters, bags)


def fit_counts(
    design: Design, goals: Floats, boosting: Boosting, seed: int, start: Floats, weights: Floats | None = None
) -> lightgbm.Booster:
    """Trees for the mean of a count `goals` (n,), starting from the logarithms of the mean `start` (n,)."""
    # A column of a table is copied, because LightGBM warns about slices.
    target, begin = np.ascontiguousarray(goals), np.ascontiguousarray(start)
    return _train(design, target, boosting, seed, begin, weights, {"objective": "poisson"})[0]


def _train(
    design: Design, target: NDArray[Any], boosting: Boosting, seed: int, start: Floats,
    weights: Floats | None, objective: dict[str, Any], bags: int = 1,
) -> tuple[lightgbm.Booster, ...]:  # fmt: skip
    parameters = {
        **objective,
        "learning_rate": boosting.learning_rate,
        "num_leaves": boosting.leaves,
        "min_data_in_leaf": max(1, min(boosting.smallest_leaf, len(target) // 20)),
        "feature_fraction": boosting.feature_share,
        "bagging_fraction": boosting.match_share,
        "bagging_freq": 1,
        "lambda_l2": boosting.ridge,
        "max_bin": 63,
        "boost_from_average": False,
        "num_threads": N_THREADS,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(
        design.values, target, weight=weights, feature_name=list(design.names), init_score=start
    )
    return tuple(
        lightgbm.train(
            {**parameters, "bagging_seed": each, "feature_fraction_seed": each}, data, boosting.rounds
        )
        for each in range(seed, seed + bags)
    )


def raw_scores(trees: lightgbm.Booster, design: Design) -> Floats:
    """What the trees of `fit_trees` add to their start: (n, 3) log-odds units."""
    return _raw(trees, design).reshape(len(design.values), 3)


def log_rates(trees: lightgbm.Booster, design: Design) -> Floats:
    """What the trees of `fit_counts` add to their start: (n,)."""
    return _raw(trees, design)


def _raw(trees: lightgbm.Booster, design: Design) -> Floats:
    return np.asarray(trees.predict(design.values, raw_score=True, num_threads=N_THREADS), dtype=np.float64)
