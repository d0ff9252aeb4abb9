"""The scoreline grid and its inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from touchline.forecasting.scoreline import (
    LOW_SCORE_CORRELATION,
    expected_goals,
    grid_for,
    match_result,
    scoreline_grid,
    solve_rates,
)


def test_grid_equals_a_plain_loop() -> None:
    home, away, rho = 1.6, 1.1, LOW_SCORE_CORRELATION
    plain = np.zeros((11, 11))
    for i in range(11):
        for j in range(11):
            p = math.exp(-home) * home**i / math.factorial(i) * math.exp(-away) * away**j / math.factorial(j)
            tau = {
                (0, 0): 1 - home * away * rho,
                (0, 1): 1 + home * rho,
                (1, 0): 1 + away * rho,
                (1, 1): 1 - rho,
            }
            plain[i, j] = p * tau.get((i, j), 1.0)
    assert scoreline_grid(np.array([[home, away]]))[0] == pytest.approx(plain / plain.sum(), abs=1e-14)


def test_without_correlation_goals_are_independent() -> None:
    grid = scoreline_grid(np.array([[1.5, 0.9]]), correlation=0.0)[0]
    assert grid == pytest.approx(np.outer(grid.sum(axis=1), grid.sum(axis=0)), abs=1e-12)


def test_rows_are_home_goals() -> None:
    grid = scoreline_grid(np.array([[3.0, 0.5]]))
    home, draw, away = match_result(grid)[0]
    assert home > draw > away
    goals = expected_goals(grid)[0]
    assert goals == pytest.approx([3.0, 0.5], abs=0.02)


def test_rates_are_found_again() -> None:
    rates = np.array([[0.3, 0.4], [1.5, 1.2], [2.9, 0.4], [0.7, 3.5]])
    assert solve_rates(match_result(scoreline_grid(rates))) == pytest.approx(rates, rel=1e-6)


@settings(max_examples=200)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3).filter(lambda p: sum(p) > 0.01), min_size=1, max_size=10))
def test_grid_has_exactly_the_given_probabilities(rows: list[tuple[float, float, float]]) -> None:
    """Also where no two goal rates can give them: no draw at all, nothing but draws, a certain winner."""
    p = np.array(rows) / np.array(rows).sum(axis=1, keepdims=True)
    grid = grid_for(p)
    assert np.abs(match_result(grid) - p).max() < 1e-9
    assert np.abs(grid.sum(axis=(1, 2)) - 1).max() < 1e-9
    assert grid.min() >= 0


def test_realistic_probabilities_need_no_scaling() -> None:
    p = np.array([[0.45, 0.27, 0.28], [0.8, 0.13, 0.07], [0.2, 0.25, 0.55]])
    assert match_result(scoreline_grid(solve_rates(p))) == pytest.approx(p, abs=1e-9)


def test_an_unknown_forecast_has_an_unknown_grid_and_harms_no_other() -> None:
    p = np.array([[0.5, 0.3, 0.2], [np.nan, np.nan, np.nan]])
    grid = grid_for(p)
    assert np.isnan(grid[1]).all()
    assert match_result(grid)[0] == pytest.approx(p[0], abs=1e-12)
    assert np.isnan(expected_goals(grid)[1]).all()


def test_more_matches_than_one_chunk() -> None:
    p = np.random.default_rng(1).dirichlet([4, 3, 3], 5000)
    assert np.abs(match_result(grid_for(p)) - p).max() < 1e-9
