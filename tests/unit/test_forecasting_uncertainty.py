"""Intervals of probabilities, in worlds where the true probabilities are known."""

from __future__ import annotations

import numpy as np
import pytest

from touchline.forecasting.logistic import Floats, Ints, softmax
from touchline.forecasting.uncertainty import Uncertainty, fit_uncertainty

N = 20_000


def world(
    seed: int, m: int = 5, noise: float = 0.25, slope: float = 1.0
) -> tuple[Floats, Ints, Floats, Floats]:
    """True probabilities, outcomes, `m` members that err each for itself, and their mean forecast."""
    random = np.random.default_rng(seed)
    truth = softmax(np.array([0.45, 0.0, 0.1]) + random.normal(0, 0.6, (N, 3)))
    outcomes = (random.random(N)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    logs = slope * np.log(truth) + random.normal(0, noise, (m, N, 3))
    return truth, outcomes, softmax(logs), softmax(logs.mean(axis=0))


def share_inside(found: Uncertainty, truth: Floats, forecast: Floats, members: Floats, level: float) -> float:
    intervals = found.intervals(forecast, members, level)
    return float(((intervals.low <= truth) & (truth <= intervals.high)).mean())


@pytest.mark.parametrize("m", [2, 5])
def test_intervals_contain_the_true_probability_as_often_as_stated(m: int) -> None:
    _, outcomes, members, forecast = world(seed=1, m=m)
    found = fit_uncertainty(forecast, outcomes, members)
    truth, _, fresh_members, fresh = world(seed=2, m=m)
    for level in (0.5, 0.8, 0.95):
        inside = share_inside(found, truth, fresh, fresh_members, level)
        assert level - 0.01 < inside < level + 0.05, (level, inside)


def test_intervals_do_not_claim_more_than_the_calibration_matches_can_show() -> None:
    """Twenty members are nearly right together, but whether they are calibrated is known less well than that."""
    _, outcomes, members, forecast = world(seed=1, m=20)
    truth, _, fresh_members, fresh = world(seed=2, m=20)
    little, much = (fit_uncertainty(forecast[:n], outcomes[:n], members[:, :n]) for n in (2000, N))
    at_80 = [share_inside(found, truth, fresh, fresh_members, 0.8) for found in (little, much)]
    assert at_80[0] > at_80[1] > 0.8


def test_a_miscalibrated_forecast_has_intervals_wide_enough_to_say_so() -> None:
    """Overconfident members agree with each other; only what came in gives them away."""
    _, outcomes, members, forecast = world(seed=3, noise=0.01, slope=1.3)
    found = fit_uncertainty(forecast, outcomes, members)
    truth, _, fresh_members, fresh = world(seed=4, noise=0.01, slope=1.3)
    assert share_inside(found, truth, fresh, fresh_members, 0.9) > 0.9
    blind = Uncertainty(((0.0, 0.0),), found.spread, 1.0)
    assert share_inside(blind, truth, fresh, fresh_members, 0.9) < 0.3


def test_members_that_disagree_make_wider_intervals_for_that_match() -> None:
    _, outcomes, members, forecast = world(seed=5)
    found = fit_uncertainty(forecast, outcomes, members)
    p = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    shift = np.array([[0.0], [0.6]]) * np.array([1.0, 0.0, -1.0])
    two = np.stack([softmax(np.log(p) + shift), softmax(np.log(p) - shift)])
    agreed, argued = found.intervals(p, two, 0.9).standard_error[:, 0]
    assert argued > 2 * agreed


def test_members_that_err_together_are_unmasked_by_a_better_informed_reference() -> None:
    random = np.random.default_rng(6)
    shared = random.normal(0, 0.3, (2, N, 3))
    (truth, outcomes, members, _), (fresh_truth, _, fresh_members, _) = world(seed=7), world(seed=8)
    members, fresh_members = (
        softmax(np.log(each) + error) for each, error in zip((members, fresh_members), shared, strict=True)
    )
    forecast, fresh = members.mean(axis=0), fresh_members.mean(axis=0)
    blind = fit_uncertainty(forecast, outcomes, members)
    assert share_inside(blind, fresh_truth, fresh, fresh_members, 0.9) < 0.75
    told = fit_uncertainty(forecast, outcomes, members, reference=truth)
    assert told.scale > 1.5
    assert share_inside(told, fresh_truth, fresh, fresh_members, 0.9) == pytest.approx(0.9, abs=0.04)


def test_intervals_hold_their_probability_widen_with_the_level_and_stay_between_0_and_1() -> None:
    _, outcomes, members, forecast = world(seed=9)
    found = fit_uncertainty(forecast, outcomes, members)
    extreme = np.array([[0.999, 0.0005, 0.0005], [1.0, 0.0, 0.0], [0.4, 0.3, 0.3]])
    narrow, wide = (found.intervals(extreme, np.stack([extreme, extreme]), level) for level in (0.5, 0.99))
    assert ((wide.low <= narrow.low) & (narrow.high <= wide.high)).all()
    assert ((narrow.low <= extreme + 1e-8) & (extreme <= narrow.high + 1e-8)).all()
    assert (wide.low >= 0).all()
    assert (wide.high <= 1).all()


def test_more_matches_make_calibration_surer() -> None:
    _, outcomes, members, forecast = world(seed=10)
    few = fit_uncertainty(forecast[:500], outcomes[:500], members[:, :500])
    many = fit_uncertainty(forecast, outcomes, members)
    assert np.mean([error for _, error in many.calibration]) < np.mean(
        [error for _, error in few.calibration]
    )


def test_an_unknown_forecast_is_not_learned_from_and_has_no_interval() -> None:
    _, outcomes, members, forecast = world(seed=11)
    forecast_with_hole = forecast.copy()
    forecast_with_hole[7] = np.nan
    found = fit_uncertainty(forecast_with_hole, outcomes, members)
    rest = np.arange(N) != 7
    assert found == fit_uncertainty(forecast[rest], outcomes[rest], members[:, rest])
    assert np.isnan(found.intervals(forecast_with_hole, members, 0.9).standard_error[7]).all()


def test_too_little_to_learn_from_is_refused() -> None:
    _, outcomes, members, forecast = world(seed=12)
    with pytest.raises(ValueError, match="two members"):
        fit_uncertainty(forecast, outcomes, members[:1])
    with pytest.raises(ValueError, match="no forecast match"):
        fit_uncertainty(np.full((3, 3), np.nan), outcomes[:3], members[:, :3])
