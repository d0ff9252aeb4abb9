"""Statistics that a few wrong rows cannot move, and the stability index."""

from __future__ import annotations

import numpy as np
import pytest

from touchline.robust import centre_and_sigma, stability_index


def test_a_few_wild_values_move_neither_median_nor_mad():
    values = np.append(np.arange(99.0), [1e9, -1e9, np.nan])
    assert centre_and_sigma(values, 0.1) == (49.0, pytest.approx(1.4826 * 25))
    with pytest.raises(ValueError, match="no finite value"):
        centre_and_sigma(np.array([np.nan]), 0.1)


def test_the_stability_index_is_that_of_its_formula():
    before = np.repeat(np.arange(10.0), 1000)
    now = np.repeat(np.arange(10.0), np.r_[2000, np.full(8, 1000), 0])
    smoothed = 0.5 / 10_005
    expected = (0.1) * np.log(2) + (0.1 - smoothed) * np.log(0.1 / smoothed)
    assert stability_index(before, now) == pytest.approx(expected, rel=0.01)
    assert stability_index(before, before) == 0


def test_the_stability_index_is_near_zero_for_the_same_and_large_for_another_distribution():
    rng = np.random.default_rng(2)
    before = rng.normal(0, 1, 4000)
    assert stability_index(before, rng.normal(0, 1, 1000)) < 0.05
    assert stability_index(before, rng.normal(1, 1, 1000)) > 0.5


def test_unknown_values_are_a_bin_of_their_own():
    before = np.random.default_rng(2).normal(0, 1, 4000)
    assert stability_index(before, np.full(100, np.nan)) > 1
    assert stability_index(before, np.full(100, -np.inf)) > 1
