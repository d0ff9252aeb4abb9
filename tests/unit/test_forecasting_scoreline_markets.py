"""Markets of the scoreline grid: against plain loops over scorelines, and against each other."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.forecasting.scoreline import grid_for, grid_matching, match_result
from touchline.forecasting.scoreline_markets import (
    HANDICAP_LINES,
    TEAM_TOTAL_LINES,
    TOTAL_LINES,
    Markets,
    fair_price,
    markets_of,
    top_scorelines,
)


def plain_half(value: float) -> int:
    """How a bet on one line ends: 1 won, 0 stake back, -1 lost."""
    return (value > 0) - (value < 0)


def plain_settlement(grid: np.ndarray, value: str, line: float) -> list[float]:
    """The definition: a quarter line is half a stake on the line below and half on the line above."""
    halves = (line, line) if line % 0.5 == 0 else (line - 0.25, line + 0.25)
    found = [0.0] * 5
    for home in range(len(grid)):
        for away in range(len(grid)):
            results = [
                plain_half(
                    {
                        "handicap": home - away + part,
                        "total_goals": home + away - part,
                        "home_goals": home - part,
                        "away_goals": away - part,
                    }[value]
                )
                for part in halves
            ]
            found[2 - sum(results)] += float(grid[home, away])
    return found


def any_grids(n: int, seed: int, size: int = 11) -> np.ndarray:
    """Any grids at all, some of them lopsided: markets may not rely on how ours are made."""
    random = np.random.default_rng(seed)
    cells = random.dirichlet(np.full(size * size, 0.3), n)
    return cells.reshape(n, size, size)


@pytest.mark.parametrize("size", [2, 11])
def test_settlements_equal_a_plain_loop_over_scorelines(size: int) -> None:
    grids = any_grids(2, seed=3, size=size)
    markets = markets_of(grids)
    for name, lines in (
        ("handicap", HANDICAP_LINES), ("total_goals", TOTAL_LINES),
        ("home_goals", TEAM_TOTAL_LINES), ("away_goals", TEAM_TOTAL_LINES),
    ):  # fmt: skip
        found = getattr(markets, name)
        for k, line in enumerate(lines):
            for row, grid in enumerate(grids):
                expected = plain_settlement(grid, name, line)
                assert found[row, k] == pytest.approx(expected, abs=1e-12), (name, line)


def test_single_markets_equal_a_plain_loop_over_scorelines() -> None:
    grid = any_grids(1, seed=4)[0]
    plain = {"home": 0.0, "draw": 0.0, "away": 0.0, "both": 0.0, "home_goals": 0.0, "away_goals": 0.0}
    for home in range(11):
        for away in range(11):
            p = float(grid[home, away])
            plain["home" if home > away else "draw" if home == away else "away"] += p
            plain["both"] += p * (home > 0 and away > 0)
            plain["home_goals"] += p * home
            plain["away_goals"] += p * away
    markets = markets_of(grid[None])
    home, draw, away = plain["home"], plain["draw"], plain["away"]
    assert markets.match_result[0] == pytest.approx([home, draw, away])
    assert markets.double_chance[0] == pytest.approx([home + draw, home + away, draw + away])
    assert markets.draw_no_bet[0] == pytest.approx([home / (home + away), away / (home + away)])
    assert markets.both_to_score[0] == pytest.approx([plain["both"], 1 - plain["both"]])
    assert markets.expected_goals[0] == pytest.approx([plain["home_goals"], plain["away_goals"]])


def line_of(settlements: np.ndarray, lines: tuple[float, ...], line: float) -> np.ndarray:
    return settlements[:, lines.index(line)]


def wins(settlement: np.ndarray) -> np.ndarray:
    """Share of the stake that wins."""
    return settlement[..., 0] + settlement[..., 1] / 2


def losses(settlement: np.ndarray) -> np.ndarray:
    return settlement[..., 4] + settlement[..., 3] / 2


@given(st.integers(0, 2**32), st.sampled_from([2, 5, 11]))
def test_every_market_of_any_grid_agrees_with_every_other(seed: int, size: int) -> None:
    markets = markets_of(any_grids(3, seed, size))
    home, _draw, away = markets.match_result.T
    assert markets.match_result.sum(axis=1) == pytest.approx(np.ones(3))
    for name in ("handicap", "total_goals", "home_goals", "away_goals"):
        assert np.abs(getattr(markets, name).sum(axis=2) - 1).max() < 1e-12
    level = line_of(markets.handicap, HANDICAP_LINES, 0.0)
    half_behind = line_of(markets.handicap, HANDICAP_LINES, -0.5)
    half_ahead = line_of(markets.handicap, HANDICAP_LINES, 0.5)
    assert level[:, 0] / (level[:, 0] + level[:, 4]) == pytest.approx(markets.draw_no_bet[:, 0])
    assert half_behind[:, 0] == pytest.approx(home)
    assert half_ahead[:, 0] == pytest.approx(markets.double_chance[:, 0])
    assert half_ahead[:, 4] == pytest.approx(away)
    both_score = markets.both_to_score[:, 0]
    scored = [line_of(each, TEAM_TOTAL_LINES, 0.5)[:, 0] for each in (markets.home_goals, markets.away_goals)]
    assert (both_score <= np.minimum(*scored) + 1e-12).all()
    # One goal at least, unless 0-0; two at least when both score.
    assert (line_of(markets.total_goals, TOTAL_LINES, 1.5)[:, 0] >= both_score - 1e-12).all()


@given(st.integers(0, 2**32))
def test_quarter_lines_are_the_means_of_the_lines_beside_them(seed: int) -> None:
    markets = markets_of(any_grids(3, seed))
    for settlements in (markets.handicap, markets.total_goals):
        for share in (wins(settlements), losses(settlements)):
            quarters = np.array([k for k in range(1, share.shape[1] - 1) if k % 2])
            assert share[:, quarters] == pytest.approx((share[:, quarters - 1] + share[:, quarters + 1]) / 2)


@given(st.integers(0, 2**32))
def test_a_better_line_never_has_a_higher_price(seed: int) -> None:
    markets = markets_of(any_grids(3, seed))
    assert (np.diff(wins(markets.handicap), axis=1) >= -1e-12).all()
    assert (np.diff(losses(markets.handicap), axis=1) <= 1e-12).all()
    assert (np.diff(wins(markets.total_goals), axis=1) <= 1e-12).all()


def test_a_mirrored_match_has_mirrored_handicaps() -> None:
    grids = any_grids(4, seed=5)
    ours, theirs = markets_of(grids), markets_of(grids.transpose(0, 2, 1))
    assert theirs.handicap[:, ::-1, ::-1] == pytest.approx(ours.handicap)
    assert theirs.home_goals == pytest.approx(ours.away_goals)


@given(st.integers(0, 2**32))
def test_a_stake_at_the_fair_price_comes_back_on_average(seed: int) -> None:
    settlement = markets_of(any_grids(3, seed)).handicap
    price = fair_price(settlement)
    returned = np.stack([price, (price + 1) / 2, np.ones_like(price), np.full_like(price, 0.5), 0 * price], 2)
    assert (settlement * returned).sum(axis=2) == pytest.approx(np.ones(price.shape))


def test_fair_prices_of_the_two_sides_leave_no_margin() -> None:
    """Of what does not come back, one side wins what the other loses: 1 / (o - 1) on one is o - 1 on the other."""
    settlement = markets_of(any_grids(3, seed=6)).handicap
    assert (fair_price(settlement) - 1) * (fair_price(settlement[..., ::-1]) - 1) == pytest.approx(
        np.ones(settlement.shape[:2])
    )


def test_a_bet_that_cannot_win_has_no_finite_price() -> None:
    never = markets_of(any_grids(1, seed=7, size=2)).total_goals[:, TOTAL_LINES.index(6.5)]
    assert math.isinf(fair_price(never)[0])


def test_top_scorelines_come_in_order_and_are_of_the_grid() -> None:
    grids = grid_for(np.array([[0.5, 0.27, 0.23], [0.15, 0.2, 0.65]]))
    top = top_scorelines(grids, 5)
    assert (np.diff(top.probabilities, axis=1) <= 0).all()
    assert (grids[np.arange(2)[:, None], top.home_goals, top.away_goals] == top.probabilities).all()
    assert top.probabilities[:, 0] == pytest.approx(grids.max(axis=(1, 2)))
    equal = top_scorelines(np.full((1, 2, 2), 0.25), 4)
    assert list(zip(equal.home_goals[0], equal.away_goals[0], strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]


def test_markets_keep_the_probabilities_the_grid_was_made_for() -> None:
    p, over = np.array([[0.46, 0.26, 0.28]]), np.array([0.57])
    markets = markets_of(grid_matching(p, over))
    assert markets.match_result == pytest.approx(p, abs=1e-12)
    assert line_of(markets.total_goals, TOTAL_LINES, 2.5)[:, 0] == pytest.approx(over, abs=1e-10)


def test_an_unknown_grid_has_unknown_markets_and_harms_no_other() -> None:
    grids = grid_for(np.array([[0.5, 0.3, 0.2], [np.nan] * 3]))
    markets = markets_of(grids)
    assert markets.match_result[0] == pytest.approx(match_result(grids)[0])
    assert all(np.isnan(getattr(markets, name)[1]).all() for name in Markets.__dataclass_fields__)


def test_the_worked_example_of_the_documentation_is_what_comes_out() -> None:
    page = (Path(__file__).parents[2] / "docs" / "markets.md").read_text()
    markets = markets_of(grid_matching(np.array([[0.46, 0.27, 0.27]]), np.array([0.54])))
    bets = re.findall(r"^\| ((?:home|over) [-+0-9.]+ \|.*) \|$", page, re.MULTILINE)
    shown = [row.split(" | ") for row in bets]
    assert len(shown) == 8
    for bet, *numbers in shown:
        side, line = bet.split()
        settlements, lines = (
            (markets.handicap, HANDICAP_LINES) if side == "home" else (markets.total_goals, TOTAL_LINES)
        )
        settlement = line_of(settlements, lines, float(line))[0]
        found = [*settlement, float(fair_price(settlement))]
        assert [float(number) for number in numbers] == pytest.approx(found, abs=6e-4), bet
