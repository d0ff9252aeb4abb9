"""Forecasts made as scoreline grids: goal rates, and the dependence between the two sides' goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import lightgbm
import numpy as np

from touchline.forecasting.boosting import Boosting, fit_counts, log_rates
from touchline.forecasting.design import ModelInput, log_means
from touchline.forecasting.logistic import Floats
from touchline.forecasting.scoreline import (
    HIGHEST_RATE,
    LOWEST_RATE,
    MAX_GOALS,
    GridShape,
    bivariate_grid,
    match_result,
    scoreline_grid,
)
from touchline.forecasting.training_weights import by_age

Dependence = Literal["dixon_coles", "bivariate_poisson"]
# The values at which the likelihood is evaluated: the correlation of Dixon & Coles, or the covariance in goals.
TRIED: dict[Dependence, Floats] = {
    "dixon_coles": np.linspace(-0.16, 0.06, 12), "bivariate_poisson": np.linspace(0.0, 0.24, 13),
}  # fmt: skip
TREES = Boosting(rounds=60, learning_rate=0.06, leaves=6, smallest_leaf=600, feature_share=0.3, ridge=50.0)
HALF_LIFE = 8.0
NEWTON_STEPS = 25
# The goals expected from the strengths, home and away.
PRIORS = (np.array([0.0, 1.0, 1.0]), np.array([0.0, -1.0, 1.0]))
SPEED = "medium"


@dataclass(frozen=True)
class Goals:
    """Goal rates and their grid. Rates are log-linear in the strengths' expected goals, or refined by LightGBM.

    `line` (2, 3), for home and away: intercept, and slopes on half the gap and half the total of the strengths' log
    goals, which are known with different certainty. `dependence` is a low-score correlation (Dixon & Coles 1997,
    eq. 4.2) or the covariance of a bivariate Poisson distribution (Karlis & Ntzoufras 2003, eq. 1).
    """

    kind: Dependence
    line: Floats
    trees: tuple[lightgbm.Booster, ...]
    dependence: float

    @classmethod
    def fit(cls, matches: ModelInput, kind: Dependence, seed: int, *, with_trees: bool = False) -> Goals:
        """Fitted on the goals of the training matches; recent matches count more."""
        goals = matches.frame[["home_goals", "away_goals"]].to_numpy(dtype=np.float64)
        weights = by_age(matches.frame, HALF_LIFE)
        halves = _halves(matches)
        line = np.stack([_poisson_line(halves, goals[:, side], weights, PRIORS[side]) for side in range(2)])
        trees: tuple[lightgbm.Booster, ...] = ()
        if with_trees:
            start = halves @ line.T
            trees = tuple(
                fit_counts(matches.history, goals[:, side], TREES, seed, start[:, side], weights)
                for side in range(2)
            )
        unshaped = cls(kind, line, trees, 0.0)
        return cls(kind, line, trees, _likeliest(kind, unshaped.rates(matches), goals, weights))

    def rates(self, matches: ModelInput) -> Floats:
        """Goals expected of home and away (n, 2)."""
        logs = _halves(matches) @ self.line.T
        if self.trees:
            logs = logs + np.column_stack([log_rates(trees, matches.history) for trees in self.trees])
        return np.clip(np.exp(logs), LOWEST_RATE, HIGHEST_RATE)

    def grid(self, matches: ModelInput) -> Floats:
        """(n, 11, 11)."""
        return _grid(self.kind, self.rates(matches), self.dependence)

    def probabilities(self, matches: ModelInput) -> Floats:
        """(n, 3), for every match."""
        return match_result(self.grid(matches))


def _grid(kind: Dependence, rates: Floats, dependence: float) -> Floats:
    if kind == "dixon_coles":
        return scoreline_grid(rates, GridShape(dependence))
    return bivariate_grid(rates, dependence)


def _halves(matches: ModelInput) -> Floats:
    """One, half the gap and half the total (n, 3) of the strengths' log goals."""
    home, away = log_means(matches.frame, SPEED).T
    return np.column_stack([np.ones(len(home)), (home - away) / 2, (home + away) / 2])


def _poisson_line(design: Floats, goals: Floats, weights: Floats, prior: Floats) -> Floats:
    """Coefficients (3,) of log goals on `design` (n, 3), by Newton's method on the weighted Poisson likelihood."""
    found = prior
    for _ in range(NEWTON_STEPS):
        rates = np.exp(np.clip(design @ found, -10.0, 10.0))
        # A weak prior of a tenth of a match for the strengths' own goals, so that a few matches suffice.
        gradient = design.T @ (weights * (goals - rates)) - 0.1 * (found - prior)
        information = (design * (weights * rates)[:, None]).T @ design + 0.1 * np.eye(3)
        step = np.linalg.solve(information, gradient)
        found = found + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    return np.asarray(found, dtype=np.float64)


def _likeliest(kind: Dependence, rates: Floats, goals: Floats, weights: Floats) -> float:
    """The most likely dependence given the last matches' scorelines, from a parabola through the best three tried."""
    last = slice(-20_000, None)
    cells = np.minimum(goals[last], MAX_GOALS).astype(np.int64)
    rows = np.arange(len(cells))

    def likelihood(dependence: float) -> float:
        p = _grid(kind, rates[last], dependence)[rows, cells[:, 0], cells[:, 1]]
        return float(weights[last] @ np.log(np.maximum(p, 1e-12)))

    tried = TRIED[kind]
    found = np.array([likelihood(float(each)) for each in tried])
    best = int(np.clip(found.argmax(), 1, len(tried) - 2))
    low, here, high = found[best - 1 : best + 2]
    bend = low - 2 * here + high
    shift = 0.5 * (low - high) / bend if bend < 0 else 0.0
    return float(tried[best] + np.clip(shift, -1, 1) * (tried[1] - tried[0]))
