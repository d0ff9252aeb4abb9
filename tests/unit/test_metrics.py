"""Scores against values worked out by hand and against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.forecasting.logistic import Floats, Ints, fit_per_outcome, fit_shared, softmax, with_intercepts
from touchline.forecasting.metrics import (
    N_CALIBRATION_BINS,
    brier,
    calibration_slope,
    expected_calibration_error,
    log_loss,
    paired_difference,
    resample_matchdays,
    rps,
    score,
)

P = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]])
HAPPENED = np.array([0, 0, 2, 1])


def test_rps_of_hand_computed_matches() -> None:
    by_hand = [(0.5**2 + 0.2**2) / 2, (0.8**2 + 0.5**2) / 2, (1.0 + 1.0) / 2, (0.25**2 + 0.25**2) / 2]
    assert rps(P, HAPPENED) == pytest.approx(by_hand)


def test_brier_of_hand_computed_matches() -> None:
    assert brier(P, HAPPENED) == pytest.approx([0.38, 0.98, 2.0, 0.375])


def test_log_loss_of_hand_computed_matches_and_of_the_impossible() -> None:
    losses = log_loss(P, HAPPENED)
    assert losses[[0, 1, 3]] == pytest.approx([math.log(2), math.log(5), math.log(2)])
    assert losses[2] == pytest.approx(-math.log(1e-15))


def test_accuracy_counts_the_most_probable_outcome() -> None:
    assert score(P, HAPPENED).accuracy == 0.5


def test_calibration_error_of_hand_computed_matches() -> None:
    # Both matches: 0.62 happened once of two, 0.22 once of two, 0.16 never; bins of 0.05 keep them apart.
    p = np.array([[0.62, 0.22, 0.16], [0.62, 0.22, 0.16]])
    assert expected_calibration_error(p, np.array([0, 1])) == pytest.approx((0.12 + 0.28 + 0.16) / 3)


def test_slope_recovers_how_forecasts_were_distorted() -> None:
    rng = np.random.default_rng(3)
    truth = softmax(rng.normal(0, 1, (30_000, 3)))
    outcomes = (rng.random(len(truth))[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    overconfident = softmax(np.log(truth) * 1.5)
    assert calibration_slope(truth, outcomes) == pytest.approx(1.0, abs=0.04)
    assert calibration_slope(overconfident, outcomes) == pytest.approx(1 / 1.5, abs=0.03)


def test_slope_does_not_move_with_the_intercepts() -> None:
    rng = np.random.default_rng(4)
    truth = softmax(rng.normal(0, 1, (30_000, 3)))
    outcomes = (rng.random(len(truth))[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    assert calibration_slope(softmax(np.log(truth) + np.array([0.3, 0.0, -0.3])), outcomes) == pytest.approx(
        1.0, abs=0.03
    )


def test_slope_is_unknown_without_every_outcome_or_without_different_forecasts() -> None:
    same = np.tile([0.5, 0.3, 0.2], (9, 1))
    assert math.isnan(calibration_slope(P, np.array([0, 0, 1, 1])))
    assert math.isnan(calibration_slope(same, np.array([0, 1, 2] * 3)))


def test_no_match_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no match"):
        score(P[:0], HAPPENED[:0])


@given(st.lists(st.tuples(*[st.floats(0.001, 1)] * 3, st.integers(0, 2)), min_size=1, max_size=40))
def test_scores_equal_plain_loops(rows: list[tuple[float, float, float, int]]) -> None:
    weights = np.array([row[:3] for row in rows])
    p = weights / weights.sum(axis=1, keepdims=True)
    outcomes = np.array([row[3] for row in rows])
    found = score(p, outcomes)
    assert found.n == len(rows)
    assert found.rps == pytest.approx(_plain_rps(p, outcomes))
    assert found.log_loss == pytest.approx(-sum(math.log(p[i][o]) for i, o in enumerate(outcomes)) / len(p))
    assert found.ece == pytest.approx(_plain_ece(p, outcomes))


def _plain_rps(p: Floats, outcomes: Ints) -> float:
    total = 0.0
    for row, outcome in zip(p, outcomes, strict=True):
        cumulative = happened = 0.0
        for k in range(2):
            cumulative += row[k]
            happened += float(outcome == k)
            total += (cumulative - happened) ** 2 / 2
    return total / len(p)


def _plain_ece(p: Floats, outcomes: Ints) -> float:
    bins: dict[int, list[tuple[float, float]]] = {}
    for row, outcome in zip(p, outcomes, strict=True):
        for k in range(3):
            place = min(int(row[k] * N_CALIBRATION_BINS), N_CALIBRATION_BINS - 1)
            bins.setdefault(place, []).append((row[k], float(outcome == k)))
    gaps = [abs(sum(f for f, _ in pairs) - sum(h for _, h in pairs)) for pairs in bins.values()]
    return sum(gaps) / (3 * len(p))


def test_interval_of_a_constant_difference_is_that_difference() -> None:
    first = np.array([1.0, 2.0, 3.0])
    found = paired_difference(first, first - 0.5, resample_matchdays(np.array([1, 1, 2]), seed=1))
    assert (found.difference, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_interval_covers_zero_for_noise_and_not_for_an_effect() -> None:
    rng = np.random.default_rng(5)
    days = np.repeat(np.arange(400), 10)
    noise = rng.normal(0, 1, len(days))
    noise -= noise.mean()
    nothing = paired_difference(noise, np.zeros(len(days)), resample_matchdays(days, seed=1))
    effect = paired_difference(noise + 0.2, np.zeros(len(days)), resample_matchdays(days, seed=1))
    assert nothing.low < 0 < nothing.high
    assert 0 < effect.low < 0.2 < effect.high


def test_matches_of_one_day_are_drawn_together() -> None:
    """What all matches of a day share widens the interval, by about the root of the matches a day."""
    rng = np.random.default_rng(6)
    days = np.repeat(np.arange(300), 9)
    shared = np.repeat(rng.normal(0, 1, 300), 9)
    zeros = np.zeros(len(days))
    by_day = paired_difference(shared, zeros, resample_matchdays(days, seed=1))
    by_match = paired_difference(shared, zeros, resample_matchdays(np.arange(len(days)), seed=1))
    assert (by_day.high - by_day.low) / (by_match.high - by_match.low) == pytest.approx(3.0, rel=0.15)


def test_same_seed_same_interval() -> None:
    rng = np.random.default_rng(7)
    first, days = rng.normal(0, 1, 500), np.repeat(np.arange(100), 5)
    runs = [paired_difference(first, np.zeros(500), resample_matchdays(days, seed=9)) for _ in range(2)]
    assert runs[0] == runs[1]


def test_interval_agrees_with_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(8)
    days = rng.integers(0, 60, 400)
    values = rng.normal(0.05, 1, 400)
    found = paired_difference(values, np.zeros(400), resample_matchdays(days, seed=1, n_resamples=4000))
    blocks = [values[days == day] for day in np.unique(days)]
    means = []
    for _ in range(4000):
        drawn = np.concatenate([blocks[i] for i in rng.integers(0, len(blocks), len(blocks))])
        means.append(drawn.mean())
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.012)
    assert found.high == pytest.approx(high, abs=0.012)


def test_logistic_fits_agree_with_each_other_and_recover_the_truth() -> None:
    rng = np.random.default_rng(10)
    x = rng.normal(0, 1, (20_000, 2))
    truth = np.array([[0.2, -0.3], [0.5, -0.8], [-0.4, 0.1]])
    scores = np.column_stack([np.zeros(len(x)), truth[0] + x @ truth[1:]])
    outcomes = (rng.random(len(x))[:, None] > softmax(scores).cumsum(axis=1)).sum(axis=1)
    found = fit_per_outcome(x, outcomes, np.ones(len(x)), ridge=1e-6)
    assert found == pytest.approx(truth, abs=0.08)
    design = np.zeros((len(x), 3, 6))
    full = np.column_stack([np.ones(len(x)), x])
    design[:, 1, :3] = full
    design[:, 2, 3:] = full
    assert pytest.approx(found, abs=1e-3) == fit_shared(design, outcomes).reshape(2, 3).T


def test_weights_count_like_repeated_matches() -> None:
    rng = np.random.default_rng(11)
    x, outcomes = rng.normal(0, 1, (300, 1)), rng.integers(0, 3, 300)
    twice = np.where(np.arange(300) < 100, 2.0, 1.0)
    repeated = np.r_[np.arange(300), np.arange(100)]
    by_weight = fit_per_outcome(x, outcomes, twice, ridge=1.0)
    by_repeat = fit_per_outcome(x[repeated], outcomes[repeated], np.ones(400), ridge=1.0)
    assert by_weight == pytest.approx(by_repeat, abs=1e-4)


def test_a_likelihood_without_maximum_is_refused() -> None:
    scores = np.log(np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]] * 5))
    with pytest.raises(np.linalg.LinAlgError):
        fit_shared(with_intercepts(scores), np.array([0, 1, 2] * 5))
