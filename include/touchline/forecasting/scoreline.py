"""The scoreline grid P(home goals, away goals), from which every market of a match is derived.

A grid is (n, 11, 11): home goals 0 to 10 down, away goals 0 to 10 across, summing to one. Scorelines with more
than ten goals for a side are left out, and their probability is spread over the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from touchline.forecasting.logistic import Floats, Ints

MAX_GOALS = 10
LOWEST_RATE, HIGHEST_RATE = 0.02, 8.0

_GOALS = np.arange(MAX_GOALS + 1)
_LOG_FACTORIAL = gammaln(_GOALS + 1)
_MARGIN = _GOALS[:, None] - _GOALS[None, :]
REGIONS: tuple[NDArray[np.bool_], ...] = (_MARGIN > 0, _MARGIN == 0, _MARGIN < 0)
_REGION_CELLS = np.stack([region.ravel() for region in REGIONS]).astype(np.float64)

NEWTON_STEPS = 40
TOLERANCE = 1e-11
NUDGE = 1e-6
LARGEST_STEP = 0.5
SMALLEST, SMALLEST_SUM = 1e-6, 1e-12
CHUNK = 4096


@dataclass(frozen=True)
class GridShape:
    """How grids differ from independent Poisson counts: by the low-score correlation of Dixon & Coles (1997), and by
    a factor on wins by one goal, which are more frequent in football."""

    correlation: float
    narrow_wins: float = 1.0


# Chosen by log loss of the scoreline, on prices of 22 divisions. From home, draw and away alone, the best correlation
# was -0.07 on 46,749 matches of 2013 to 2019 and -0.06 on 30,172 of 2019 to 2023; this is between the two. It decides
# how many goals a draw probability implies, and a factor on narrow wins would bias that. With the total, the two
# constants are the best of 2013 to 2019; the need for them was first seen on 2019 to 2023.
SHAPE = GridShape(correlation=-0.065)
SHAPE_WITH_TOTAL = GridShape(correlation=-0.05, narrow_wins=1.12)


def scoreline_grid(rates: Floats, shape: GridShape = SHAPE) -> Floats:
    """Grid (n, 11, 11) of goal rates (n, 2) (home, away; goals per match).

    Independent Poisson counts, corrected for the dependence at low scores (Dixon & Coles 1997, eq. 4.2) and for the
    excess of narrow wins, then normalised.
    """
    home, away = rates[:, 0:1], rates[:, 1:2]
    p_home = np.exp(_GOALS * np.log(home) - home - _LOG_FACTORIAL)
    p_away = np.exp(_GOALS * np.log(away) - away - _LOG_FACTORIAL)
    grid = p_home[:, :, None] * p_away[:, None, :]
    for (i, j), factor in _corrections(rates[:, 0], rates[:, 1], shape.correlation).items():
        grid[:, i, j] *= factor
    grid *= np.where(np.abs(_MARGIN) == 1, shape.narrow_wins, 1.0)
    return np.asarray(grid / grid.sum(axis=(1, 2), keepdims=True), dtype=np.float64)


def bivariate_grid(rates: Floats, covariance: float) -> Floats:
    """Grid (n, 11, 11) of a bivariate Poisson distribution with means `rates` (n, 2) and one covariance, in goals.

    Both counts share a Poisson count of mean `covariance` (Karlis & Ntzoufras 2003, eq. 1), limited by the lower rate.
    """
    shared = np.minimum(covariance, 0.9 * rates.min(axis=1, keepdims=True))
    own = rates - shared
    p_home, p_away, p_shared = (
        np.exp(_GOALS * np.log(np.maximum(mean, 1e-300)) - mean - _LOG_FACTORIAL)
        for mean in (own[:, 0:1], own[:, 1:2], shared)
    )
    grid = np.zeros((len(rates), MAX_GOALS + 1, MAX_GOALS + 1))
    for k in range(MAX_GOALS + 1):
        rest = MAX_GOALS + 1 - k
        grid[:, k:, k:] += p_shared[:, k, None, None] * p_home[:, :rest, None] * p_away[:, None, :rest]
    return np.asarray(grid / grid.sum(axis=(1, 2), keepdims=True), dtype=np.float64)


def match_result(grid: Floats) -> Floats:
    """Probabilities of home, draw and away (n, 3) of grids (n, 11, 11)."""
    return np.asarray(grid.reshape(-1, _MARGIN.size) @ _REGION_CELLS.T, dtype=np.float64)


def total_over(grid: Floats) -> Floats:
    """Probability (n,) of more than 2.5 goals in grids (n, 11, 11)."""
    return np.asarray(grid[:, _GOALS[:, None] + _GOALS[None, :] > 2].sum(axis=1), dtype=np.float64)


def expected_goals(grid: Floats) -> Floats:
    """Mean goals (n, 2), home and away, of grids (n, 11, 11)."""
    return np.stack([grid.sum(axis=2) @ _GOALS, grid.sum(axis=1) @ _GOALS], axis=1)


def grid_for(probabilities: Floats, shape: GridShape = SHAPE) -> Floats:
    """Grid (n, 11, 11) whose home, draw and away sums are `probabilities` (n, 3); NaN rows stay NaN.

    The goal rates that reproduce the probabilities are solved for. What no pair of rates can reproduce is made up by
    scaling the grid's three regions, so the sums are always exact.
    """
    known = np.isfinite(probabilities).all(axis=1)
    grids = np.empty((len(probabilities), MAX_GOALS + 1, MAX_GOALS + 1))
    grids[~known] = np.nan
    rates = solve_rates(probabilities[known], shape)
    grids[known] = _scaled(scoreline_grid(rates, shape), probabilities[known])
    return grids


def grid_matching(probabilities: Floats, p_over: Floats, shape: GridShape = SHAPE_WITH_TOTAL) -> Floats:
    """Grid (n, 11, 11) of `probabilities` (n, 3) in which more than 2.5 goals have probability `p_over` (n,).

    Two goal rates and one factor on all draws (the diagonal inflation of Karlis & Ntzoufras 2003) meet the three
    numbers. Home, draw and away are always exact; `p_over` is met as closely as the rates allow. Rows whose
    `p_over` is NaN get the grid of `grid_for`; rows without probabilities stay NaN.
    """
    known = np.isfinite(probabilities).all(axis=1) & np.isfinite(p_over)
    grids = np.empty((len(probabilities), MAX_GOALS + 1, MAX_GOALS + 1))
    grids[~known] = grid_for(probabilities[~known])
    rates = _solve_rates_of_total(probabilities[known], p_over[known], shape)
    grids[known] = _scaled(scoreline_grid(rates, shape), probabilities[known])
    return grids


def solve_rates(probabilities: Floats, shape: GridShape = SHAPE) -> Floats:
    """Goal rates (n, 2) whose grid gives `probabilities` (n, 3), or comes as close as rates can."""
    p = np.clip(probabilities, SMALLEST, 1.0).T

    def coordinates(logs: Floats, _: Ints) -> Floats:
        result, _under = _sums(logs, shape)
        return np.stack([np.log(result[0] / result[2]), _logit(result[1])])

    target = np.stack([np.log(p[0] / p[2]), _logit(p[1])])
    total = np.clip(2.7 - 5.0 * (p[1] - 0.26), 0.5, 8.0)
    return _solve(target, _first_guess(target[0], total), coordinates)


def _solve_rates_of_total(probabilities: Floats, p_over: Floats, shape: GridShape) -> Floats:
    """Goal rates (n, 2) that give the odds of home against away, and `p_over` once draws have their probability."""
    p = np.clip(probabilities, SMALLEST, 1.0).T

    def coordinates(logs: Floats, rows: Ints) -> Floats:
        result, under = _sums(logs, shape)
        decided = (under[0] + under[2]) / (result[0] + result[2])
        p_under = p[1, rows] * under[1] / result[1] + (1 - p[1, rows]) * decided
        return np.stack([np.log(result[0] / result[2]), -_logit(p_under)])

    target = np.stack([np.log(p[0] / p[2]), _logit(p_over)])
    return _solve(target, _first_guess(target[0], np.clip(2.7 + 1.4 * _logit(p_over), 0.5, 8.0)), coordinates)


def _first_guess(log_ratio: Floats, total: Floats) -> Floats:
    supremacy = np.clip(log_ratio, -4.0, 4.0) / 2
    return np.stack([np.log(total / 2) + supremacy / 2, np.log(total / 2) - supremacy / 2])


def _solve(target: Floats, logs: Floats, coordinates: Callable[[Floats, Ints], Floats]) -> Floats:
    """Rates (n, 2) at which `coordinates` are `target` (2, n), by damped Newton steps from `logs` (2, n).

    `coordinates` takes logarithms of rates (2, m) and the places (m,) of these rows among the n. Each row stops when
    it has converged, or after `NEWTON_STEPS`, independently of the other rows.
    """
    logs = np.clip(logs, np.log(LOWEST_RATE), np.log(HIGHEST_RATE))
    for start in range(0, target.shape[1], CHUNK):
        rows = np.arange(start, min(start + CHUNK, target.shape[1]))
        for _ in range(NEWTON_STEPS):
            here = coordinates(logs[:, rows], rows)
            gap = target[:, rows] - here
            far = np.abs(gap).max(axis=0) >= TOLERANCE
            if not far.any():
                break
            rows, gap, here = rows[far], gap[:, far], here[:, far]
            steps = _newton_steps(logs[:, rows], rows, gap, here, coordinates)
            logs[:, rows] = np.clip(logs[:, rows] + steps, np.log(LOWEST_RATE), np.log(HIGHEST_RATE))
    return np.asarray(np.exp(logs).T, dtype=np.float64)


def _newton_steps(
    logs: Floats, rows: Ints, gap: Floats, here: Floats, coordinates: Callable[[Floats, Ints], Floats]
) -> Floats:
    by_home, by_away = (
        (coordinates(logs + nudge[:, None], rows) - here) / NUDGE for nudge in np.eye(2) * NUDGE
    )
    determinant = by_home[0] * by_away[1] - by_away[0] * by_home[1]
    determinant = np.where(np.abs(determinant) < 1e-9, 1e-9, determinant)
    steps = np.stack([
        (gap[0] * by_away[1] - by_away[0] * gap[1]) / determinant,
        (by_home[0] * gap[1] - gap[0] * by_home[1]) / determinant,
    ])  # fmt: skip
    return np.asarray(steps / np.maximum(np.abs(steps).max(axis=0) / LARGEST_STEP, 1.0), dtype=np.float64)


def _sums(logs: Floats, shape: GridShape) -> tuple[Floats, Floats]:
    """Home, draw and away of `scoreline_grid` (3, n), and their parts with at most two goals (3, n).

    Computed without the grid, which is, apart from the corrections, the product of both sides' goal distributions.
    """
    home, away = np.exp(logs)
    p_home, p_away = (
        np.exp(_GOALS[:, None] * log - rate - _LOG_FACTORIAL[:, None])
        for log, rate in zip(logs, (home, away), strict=True)
    )
    factors = _corrections(home, away, shape.correlation)
    low_draws = p_home[0] * p_away[0] * factors[0, 0] + p_home[1] * p_away[1] * factors[1, 1]
    sums = [
        _win_sums(p_home, p_away, factors[1, 0], shape.narrow_wins),
        ((p_home[2:] * p_away[2:]).sum(axis=0) + low_draws, low_draws),
        _win_sums(p_away, p_home, factors[0, 1], shape.narrow_wins),
    ]
    result, under = (np.maximum(np.stack(each), SMALLEST_SUM) for each in zip(*sums, strict=True))
    total = result.sum(axis=0)
    return result / total, under / total


def _win_sums(winner: Floats, loser: Floats, factor: Floats, narrow_wins: float) -> tuple[Floats, Floats]:
    """All wins, and those with at most two goals (n,), of a side; `factor` (n,) is the correction of 1-0."""
    one_nil = winner[1] * loser[0]
    narrow = (winner[1:] * loser[:-1]).sum(axis=0) + one_nil * (factor - 1)
    wide = (winner[2:] * np.cumsum(loser[:-2], axis=0)).sum(axis=0)
    return narrow_wins * narrow + wide, narrow_wins * one_nil * factor + winner[2] * loser[0]


def _corrections(home: Floats, away: Floats, correlation: float) -> dict[tuple[int, int], Floats]:
    """Factors (n,) of the four low scorelines; Dixon & Coles (1997), eq. 4.2."""
    factors = {
        (0, 0): 1 - home * away * correlation,
        (0, 1): 1 + home * correlation,
        (1, 0): 1 + away * correlation,
        (1, 1): np.full_like(home, 1 - correlation),
    }
    # Above 1 / |correlation| goals a match, the factor would become negative.
    return {scoreline: np.maximum(factor, 0.0) for scoreline, factor in factors.items()}


def _scaled(grids: Floats, probabilities: Floats) -> Floats:
    """Grids (n, 11, 11) with each of the three regions scaled to its probability (n, 3)."""
    scale = probabilities / match_result(grids)
    return np.asarray(grids * (scale @ _REGION_CELLS).reshape(grids.shape), dtype=np.float64)


def _logit(p: Floats) -> Floats:
    inside = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)
