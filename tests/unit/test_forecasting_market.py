"""Overround removal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.overround import METHODS, OverroundMethod, overround, remove_overround

PRICES = [[2.0, 3.5, 4.0], [1.14, 8.75, 19.83], [3.1, 3.2, 2.4]]


def test_proportional_by_hand() -> None:
    # 1/2 + 1/4 + 1/4 = 1: nothing to remove; 1/1.6 + 1/4 + 1/4 = 1.125.
    found = remove_overround([[2.0, 4.0, 4.0], [1.6, 4.0, 4.0]], "proportional")
    assert found[0] == pytest.approx([0.5, 0.25, 0.25])
    assert found[1] == pytest.approx([0.625 / 1.125, 0.25 / 1.125, 0.25 / 1.125])


def test_power_finds_the_exponent() -> None:
    fair = np.array([[0.6, 0.25, 0.15]])
    prices = 1 / fair ** (1 / 1.1)
    assert remove_overround(prices, "power") == pytest.approx(fair, abs=1e-12)


def test_shin_undoes_shins_prices() -> None:
    """Shin (1993): the inverse price is sqrt(z p + (1 - z) p^2), scaled so that prices sum to the book."""
    fair, insiders = np.array([[0.6, 0.25, 0.15]]), 0.03
    unscaled = np.sqrt(insiders * fair + (1 - insiders) * fair**2)
    inverse = unscaled * unscaled.sum()
    assert remove_overround(1 / inverse, "shin") == pytest.approx(fair, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_fair_prices_are_left_alone(method: OverroundMethod) -> None:
    fair = np.array([[0.5, 0.3, 0.2]])
    assert remove_overround(1 / fair, method) == pytest.approx(fair, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
@given(
    st.lists(st.tuples(*[st.floats(0.02, 1)] * 3, st.floats(-0.03, 0.15)), min_size=1, max_size=20),
)
def test_rows_sum_to_one_and_keep_the_order_of_prices(
    method: OverroundMethod, rows: list[tuple[float, float, float, float]]
) -> None:
    weights = np.array([row[:3] for row in rows])
    margin = np.array([[1 + row[3]] for row in rows])
    inverse = np.minimum(weights / weights.sum(axis=1, keepdims=True) * margin, 0.98)
    found = remove_overround(1 / inverse, method)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-12)
    assert (found > 0).all()
    for before, after in zip(inverse, found, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= -1e-12).all()


@pytest.mark.parametrize("method", METHODS)
def test_rows_do_not_influence_each_other_in_a_single_bit(method: OverroundMethod) -> None:
    """Ratings made night by night equal those made at once only if the prices they saw are the same bits."""
    rng = np.random.default_rng(1)
    fair = rng.dirichlet((4, 3, 3), 2000)
    prices = [*PRICES, *np.maximum(np.round(1 / (fair * rng.uniform(1.0, 1.12, (2000, 1))), 2), 1.01)]
    together = remove_overround(prices, method)
    alone = np.vstack([remove_overround([row], method) for row in prices])
    by_column = remove_overround(np.asfortranarray(prices), method)
    assert together.tobytes() == alone.tobytes()
    assert together.tobytes() == by_column.tobytes()


@pytest.mark.parametrize("bad", [np.nan, 0.0, 1.0, -2.0, np.inf])
def test_an_unusable_price_makes_its_row_unknown(bad: float) -> None:
    found = remove_overround([[2.0, bad, 4.0], [2.0, 3.5, 4.0]])
    assert np.isnan(found[0]).all()
    assert found[1].sum() == pytest.approx(1.0)


def test_no_usable_row_at_all() -> None:
    assert np.isnan(remove_overround(np.full((2, 3), np.nan))).all()
    assert remove_overround(np.zeros((0, 3))).shape == (0, 3)


def test_favourites_gain_most_from_power_against_proportional() -> None:
    """The favourite-longshot bias: margins weigh more on outsiders."""
    power, proportional = (remove_overround(PRICES, method) for method in ("power", "proportional"))
    assert power[1, 0] > proportional[1, 0]
    assert power[1, 2] < proportional[1, 2]


def test_overround_by_hand() -> None:
    assert overround([[1.6, 4.0, 4.0]]) == pytest.approx([0.125])
