"""The scoreline grid P(home goals, away goals): every market of a match comes from it.

A grid is (n, 11, 11): home goals 0 to 10 down, away goals 0 to 10 across, summing to one. Scorelines with more
than ten goals for a side are left out and their probability is spread over the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from touchline.forecasting.logistic import Floats

MAX_GOALS = 10
# Dixon & Coles (1997) estimate about -0.1 for English football; with -0.05 the goal rates implied by prices have
# the mean of the goals scored (22 divisions, 2019 to 2023), and fewer 1-0 and 0-1 than independent counts.
LOW_SCORE_CORRELATION = -0.05
LOWEST_RATE, HIGHEST_RATE = 0.02, 8.0

_GOALS = np.arange(MAX_GOALS + 1)
_LOG_FACTORIAL = gammaln(_GOALS + 1)
_MARGIN = _GOALS[:, None] - _GOALS[None, :]
REGIONS: tuple[NDArray[np.bool_], ...] = (_MARGIN > 0, _MARGIN == 0, _MARGIN < 0)

NEWTON_STEPS = 40
NUDGE = 1e-6
LARGEST_STEP = 0.5
CHUNK = 4096


def scoreline_grid(rates: Floats, correlation: float = LOW_SCORE_CORRELATION) -> Floats:
    """Grid (n, 11, 11) of goal rates (n, 2) (home, away; goals per match).

    Independent Poisson counts with the low-score correction of Dixon & Coles (1997), eq. 4.2, normalised.
    """
    home, away = rates[:, 0:1], rates[:, 1:2]
    p_home = np.exp(_GOALS * np.log(home) - home - _LOG_FACTORIAL)
    p_away = np.exp(_GOALS * np.log(away) - away - _LOG_FACTORIAL)
    grid = p_home[:, :, None] * p_away[:, None, :]
    corrections = {
        (0, 0): 1 - home * away * correlation,
        (0, 1): 1 + home * correlation,
        (1, 0): 1 + away * correlation,
        (1, 1): np.full_like(home, 1 - correlation),
    }
    for (i, j), factor in corrections.items():
        # Above 1 / |correlation| goals a match the factor would turn negative.
        grid[:, i, j] *= np.maximum(factor[:, 0], 0.0)
    return np.asarray(grid / grid.sum(axis=(1, 2), keepdims=True), dtype=np.float64)


def match_result(grid: Floats) -> Floats:
    """Probabilities of home, draw and away (n, 3) of grids (n, 11, 11)."""
    return np.stack([grid[:, region].sum(axis=1) for region in REGIONS], axis=1)


def expected_goals(grid: Floats) -> Floats:
    """Mean goals (n, 2), home and away, of grids (n, 11, 11)."""
    return np.stack([grid.sum(axis=2) @ _GOALS, grid.sum(axis=1) @ _GOALS], axis=1)


def grid_for(probabilities: Floats, correlation: float = LOW_SCORE_CORRELATION) -> Floats:
    """Grid (n, 11, 11) whose home, draw and away sums are `probabilities` (n, 3); NaN rows stay NaN.

    The goal rates that reproduce the probabilities are solved for; what no pair of rates can reproduce is
    made up by scaling the grid's three regions, so the sums are always exact.
    """
    grids = np.full((len(probabilities), MAX_GOALS + 1, MAX_GOALS + 1), np.nan)
    known = np.flatnonzero(np.isfinite(probabilities).all(axis=1))
    for start in range(0, len(known), CHUNK):
        rows = known[start : start + CHUNK]
        grid = scoreline_grid(solve_rates(probabilities[rows], correlation), correlation)
        scale = probabilities[rows] / match_result(grid)
        for k, region in enumerate(REGIONS):
            grid[:, region] *= scale[:, k : k + 1]
        grids[rows] = grid
    return grids


def solve_rates(probabilities: Floats, correlation: float = LOW_SCORE_CORRELATION) -> Floats:
    """Goal rates (n, 2) whose grid gives `probabilities` (n, 3), or comes as near as rates can.

    Damped Newton steps in the logarithms of the rates on two equations: the log ratio of home to away, and the
    logit of the draw.
    """
    p = np.clip(probabilities, 1e-6, 1.0)
    target = _coordinates(p)
    total = np.clip(2.7 - 5.0 * (p[:, 1] - 0.26), 0.5, 8.0)
    supremacy = np.clip(target[:, 0], -4.0, 4.0) / 2
    logs = np.stack([np.log(total / 2) + supremacy / 2, np.log(total / 2) - supremacy / 2], axis=1)
    for _ in range(NEWTON_STEPS):
        gap, steps = _newton_step(logs, target, correlation)
        if np.abs(gap).max() < 1e-11:
            break
        logs = np.clip(logs + steps, np.log(LOWEST_RATE), np.log(HIGHEST_RATE))
    return np.asarray(np.exp(logs), dtype=np.float64)


def _newton_step(logs: Floats, target: Floats, correlation: float) -> tuple[Floats, Floats]:
    def coordinates(at: Floats) -> Floats:
        return _coordinates(np.maximum(match_result(scoreline_grid(np.exp(at), correlation)), 1e-12))

    here = coordinates(logs)
    by_home, by_away = ((coordinates(logs + nudge) - here) / NUDGE for nudge in np.eye(2) * NUDGE)
    gap = target - here
    determinant = by_home[:, 0] * by_away[:, 1] - by_away[:, 0] * by_home[:, 1]
    determinant = np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
    step_home = (gap[:, 0] * by_away[:, 1] - by_away[:, 0] * gap[:, 1]) / determinant
    step_away = (by_home[:, 0] * gap[:, 1] - gap[:, 0] * by_home[:, 1]) / determinant
    steps = np.stack([step_home, step_away], axis=1)
    size = np.maximum(np.abs(steps).max(axis=1, keepdims=True) / LARGEST_STEP, 1.0)
    return gap, np.asarray(steps / size, dtype=np.float64)


def _coordinates(p: Floats) -> Floats:
    draw = np.minimum(p[:, 1], 1 - 1e-12)
    return np.stack([np.log(p[:, 0] / p[:, 2]), np.log(draw / (1 - draw))], axis=1)
