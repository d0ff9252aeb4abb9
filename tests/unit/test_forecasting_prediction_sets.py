"""Prediction sets on simulated matches: coverage is a promise, so it is counted."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from touchline.forecasting.logistic import Floats, Ints, softmax
from touchline.forecasting.prediction_sets import fit_prediction_sets

COVERAGES = (0.8, 0.9, 0.95)
N = 20_000


def matches(n: int, seed: int) -> tuple[Floats, Ints]:
    random = np.random.default_rng(seed)
    p = softmax(np.array([0.45, 0.0, 0.1]) + random.normal(0, 0.7, (n, 3)))
    return p, (random.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)


def distorted(p: Floats, slope: float) -> Floats:
    return softmax(slope * np.log(p) + np.array([0.2, -0.2, 0.0]))


def four_errors(coverage: float, n: int, n_calibration: int = N) -> float:
    """Four standard errors of a share counted on `n` matches with a threshold from `n_calibration`."""
    return 4 * math.sqrt(coverage * (1 - coverage) * (1 / n + 1 / n_calibration))


@pytest.mark.parametrize("slope", [1.0, 2.0, 0.4])
def test_fresh_matches_are_covered_as_often_as_stated_however_wrong_the_forecasts(slope: float) -> None:
    truth, happened = matches(N, seed=1)
    found = fit_prediction_sets(distorted(truth, slope), happened, COVERAGES)
    fresh, outcomes = matches(N, seed=2)
    for coverage in COVERAGES:
        covered = found.sets(distorted(fresh, slope), coverage)[np.arange(N), outcomes].mean()
        assert covered == pytest.approx(coverage, abs=four_errors(coverage, N)), coverage


def test_strong_and_weak_favourites_are_covered_alike() -> None:
    truth, happened = matches(3 * N, seed=3)
    found = fit_prediction_sets(distorted(truth, 2.0), happened, COVERAGES)
    fresh, outcomes = matches(3 * N, seed=4)
    said = distorted(fresh, 2.0)
    covered = found.sets(said, 0.8)[np.arange(3 * N), outcomes]
    strength = np.searchsorted(found.strength_edges, said.max(axis=1))
    shares = [covered[strength == each].mean() for each in range(3)]
    assert shares == pytest.approx([0.8] * 3, abs=four_errors(0.8, N))


def test_a_favourite_alone_may_cover_more_than_was_asked_for() -> None:
    truth, happened = matches(N, seed=11)
    found = fit_prediction_sets(truth, happened, (0.5,)).sets(truth, 0.5)
    certain = truth.max(axis=1) > 0.75
    assert (found[certain].sum(axis=1) == 1).all()
    assert found[np.arange(N), happened][certain].mean() > 0.7


def test_more_coverage_never_takes_an_outcome_away() -> None:
    truth, happened = matches(N, seed=5)
    found = fit_prediction_sets(truth, happened, COVERAGES)
    sets = [found.sets(truth, coverage) for coverage in COVERAGES]
    for smaller, larger in pairwise(sets):
        assert (smaller <= larger).all()
        assert smaller.sum() < larger.sum()


def test_a_set_holds_the_favourite_and_with_an_outcome_every_more_probable_one() -> None:
    truth, happened = matches(N, seed=6)
    sets = fit_prediction_sets(truth, happened, COVERAGES).sets(truth, 0.8)
    assert sets[np.arange(N), truth.argmax(axis=1)].all()
    in_order = np.take_along_axis(sets, np.argsort(-truth, axis=1), axis=1)
    assert (np.diff(in_order.astype(int), axis=1) <= 0).all()


def test_sharper_forecasts_have_smaller_sets() -> None:
    truth, happened = matches(N, seed=7)
    blunt = 0.5 * truth + 0.5 * truth.mean(axis=0)
    sizes = [fit_prediction_sets(p, happened).sets(p, 0.8).sum(axis=1).mean() for p in (truth, blunt)]
    assert sizes[0] < sizes[1]


def test_equal_probabilities_enter_together() -> None:
    found = fit_prediction_sets(np.tile([0.4, 0.3, 0.3], (100, 1)), np.arange(100) % 3)
    draw, away = found.sets(np.array([[0.4, 0.3, 0.3]]), 0.8)[0, 1:]
    assert draw == away


def test_a_handful_of_matches_promises_nothing_by_leaving_everything_in() -> None:
    truth, happened = matches(8, seed=8)
    assert fit_prediction_sets(truth, happened, (0.9,)).sets(truth, 0.9).all()


def test_an_unknown_forecast_has_no_set_and_is_not_learned_from() -> None:
    truth, happened = matches(2000, seed=9)
    holes = np.vstack([truth, [[np.nan] * 3]])
    found = fit_prediction_sets(holes, np.r_[happened, 0])
    assert found == fit_prediction_sets(truth, happened)
    assert not found.sets(holes, 0.9)[-1].any()
    with pytest.raises(ValueError, match="no forecast match"):
        fit_prediction_sets(holes[-1:], np.array([0]))


def test_a_coverage_that_was_not_fitted_is_refused_with_those_that_were() -> None:
    truth, happened = matches(100, seed=10)
    with pytest.raises(ValueError, match=r"0\.5 was not fitted.*0\.8, 0\.9"):
        fit_prediction_sets(truth, happened).sets(truth, 0.5)
