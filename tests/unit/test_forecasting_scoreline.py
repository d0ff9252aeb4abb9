"""The scoreline grid and its inverse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from touchline.forecasting.scoreline import (
    GridShape,
    expected_goals,
    grid_for,
    grid_matching,
    match_result,
    scoreline_grid,
    solve_rates,
)


def test_grid_equals_a_plain_loop() -> None:
    home, away, rho, narrow_wins = 1.6, 1.1, -0.07, 1.2
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
            plain[i, j] = p * tau.get((i, j), 1.0) * (narrow_wins if abs(i - j) == 1 else 1.0)
    found = scoreline_grid(np.array([[home, away]]), GridShape(rho, narrow_wins))[0]
    assert found == pytest.approx(plain / plain.sum(), abs=1e-14)


def test_without_correlation_goals_are_independent() -> None:
    grid = scoreline_grid(np.array([[1.5, 0.9]]), GridShape(correlation=0.0))[0]
    assert grid == pytest.approx(np.outer(grid.sum(axis=1), grid.sum(axis=0)), abs=1e-12)


def test_rows_are_home_goals() -> None:
    grid = scoreline_grid(np.array([[3.0, 0.5]]))
    home, draw, away = match_result(grid)[0]
    assert home > draw > away
    goals = expected_goals(grid)[0]
    assert goals == pytest.approx([3.0, 0.5], abs=0.02)


def test_rates_are_found_again() -> None:
    rates = np.array([[0.3, 0.4], [1.5, 1.2], [2.9, 0.4], [0.7, 3.5]])
    for shape in (GridShape(0.0), GridShape(-0.06), GridShape(0.03, narrow_wins=1.3)):
        found = solve_rates(match_result(scoreline_grid(rates, shape)), shape)
        assert found == pytest.approx(rates, rel=1e-6)


@settings(max_examples=100)
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


MANY_GOALS = np.add.outer(np.arange(11), np.arange(11)) > 2.5


def p_over(grids: np.ndarray) -> np.ndarray:
    return grids[:, MANY_GOALS].sum(axis=1)


def test_a_known_total_is_matched_beside_home_draw_and_away() -> None:
    p = np.array([[0.45, 0.27, 0.28], [0.8, 0.13, 0.07], [0.2, 0.25, 0.55], [0.4, 0.24, 0.36]])
    over = np.array([0.42, 0.71, 0.55, 0.68])
    grids = grid_matching(p, over)
    assert match_result(grids) == pytest.approx(p, abs=1e-12)
    assert p_over(grids) == pytest.approx(over, abs=1e-10)
    assert grids.min() > 0


def test_a_grid_is_found_again_from_its_result_and_total() -> None:
    """With any factor on draws: a third parameter that a grid from rates alone has at one."""
    rates = np.array([[1.5, 1.2], [2.9, 0.4], [0.7, 2.5]])
    shape = GridShape(-0.04, narrow_wins=1.1)
    grids = scoreline_grid(rates, shape)
    assert grid_matching(match_result(grids), p_over(grids), shape) == pytest.approx(grids, abs=1e-9)


def test_the_total_moves_goals_and_not_the_result() -> None:
    p = np.tile([0.5, 0.27, 0.23], (2, 1))
    few, many = grid_matching(p, np.array([0.4, 0.6]))
    assert expected_goals(few[None]).sum() + 0.5 < expected_goals(many[None]).sum()


def test_an_unknown_total_leaves_the_grid_of_the_result() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4], [np.nan] * 3])
    grids = grid_matching(p, np.array([np.nan, 0.5, 0.5]))
    assert grids[0] == pytest.approx(grid_for(p[:1])[0], abs=1e-12)
    assert p_over(grids)[1] == pytest.approx(0.5, abs=1e-10)
    assert np.isnan(grids[2]).all()
    assert np.isnan(grid_matching(p[2:], np.array([np.nan]))).all()


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(*[st.floats(0, 1)] * 4).filter(lambda row: sum(row[:3]) > 0.01), min_size=1, max_size=10
    )
)
def test_the_result_is_exact_whatever_total_is_asked_for(
    rows: list[tuple[float, float, float, float]],
) -> None:
    p = np.array(rows)[:, :3] / np.array(rows)[:, :3].sum(axis=1, keepdims=True)
    grids = grid_matching(p, np.array(rows)[:, 3])
    assert np.abs(match_result(grids) - p).max() < 1e-9
    assert grids.min() >= 0


def test_a_grid_does_not_depend_on_the_matches_beside_it() -> None:
    p = np.vstack([np.random.default_rng(2).dirichlet([4, 3, 3], 50), [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    alone = np.vstack([grid_for(row[None]) for row in p])
    assert grid_for(p) == pytest.approx(alone, abs=1e-8)
