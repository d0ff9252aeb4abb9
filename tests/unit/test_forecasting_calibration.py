"""Calibrators on forecasts that were distorted in a known way."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from touchline.forecasting.calibration import (
    METHODS,
    PRIOR_MATCHES,
    Affine,
    CalibrationMethod,
    Identity,
    choose_calibrator,
    fit_calibrator,
)
from touchline.forecasting.logistic import Floats, Ints, softmax
from touchline.forecasting.metrics import calibration_slope, expected_calibration_error, log_loss

MANY = 20_000
AFFINE: tuple[CalibrationMethod, ...] = ("temperature", "vector", "dirichlet")


def truths(n: int, seed: int) -> tuple[Floats, Ints]:
    """True probabilities as spread as football's, and what happened."""
    random = np.random.default_rng(seed)
    p = softmax(np.array([0.45, 0.0, 0.1]) + random.normal(0, 0.6, (n, 3)))
    return p, (random.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("method", ["temperature", "vector", "dirichlet", "isotonic"])
def test_overconfidence_is_taken_back(method: CalibrationMethod) -> None:
    truth, happened = truths(MANY, seed=1)
    calibrator = fit_calibrator(method, softmax(1.5 * np.log(truth)), happened, prior_matches=100)
    fresh, outcomes = truths(MANY, seed=2)
    boastful = softmax(1.5 * np.log(fresh))
    calibrated = calibrator.apply(boastful)
    assert np.abs(calibrated - fresh).mean() < np.abs(boastful - fresh).mean() / 4
    assert expected_calibration_error(calibrated, outcomes) < 0.008
    assert log_loss(calibrated, outcomes).mean() < log_loss(boastful, outcomes).mean()


def test_temperature_is_the_inverse_of_the_distortion() -> None:
    truth, happened = truths(MANY, seed=3)
    found = fit_calibrator("temperature", softmax(1.25 * np.log(truth)), happened, prior_matches=1)
    assert isinstance(found, Affine)
    assert found.weights[0][0] == pytest.approx(1 / 1.25, abs=0.02)
    assert found.biases == (0, 0, 0)


def test_vector_finds_a_bias_that_a_temperature_cannot() -> None:
    truth, happened = truths(MANY, seed=4)
    draws_forgotten = softmax(np.log(truth) + np.array([0.0, -0.3, 0.0]))
    vector = fit_calibrator("vector", draws_forgotten, happened, prior_matches=1).apply(draws_forgotten)
    temperature = fit_calibrator("temperature", draws_forgotten, happened).apply(draws_forgotten)
    came_in = np.bincount(happened) / MANY
    assert vector.mean(axis=0) == pytest.approx(came_in, abs=0.001)
    assert abs(temperature[:, 1].mean() - came_in[1]) > 0.03


def test_isotonic_finds_a_bend_that_no_slope_has() -> None:
    truth, happened = truths(MANY, seed=5)
    capped = np.minimum(truth, 0.55)
    capped /= capped.sum(axis=1, keepdims=True)
    errors = {
        method: np.abs(
            fit_calibrator(method, capped, happened, prior_matches=1).apply(capped).mean(axis=0)
            - truth.mean(axis=0)
        ).max()
        for method in METHODS
    }
    assert errors["isotonic"] < 0.005 < errors["identity"]


@pytest.mark.parametrize("method", METHODS)
def test_few_matches_change_next_to_nothing(method: CalibrationMethod) -> None:
    truth, happened = truths(60, seed=6)
    assert fit_calibrator(method, truth, happened).apply(truth) == pytest.approx(truth, abs=0.01)


def test_shrinking_is_that_of_as_many_matches_that_say_nothing() -> None:
    """n matches that ask for a slope near 1 get n / (n + prior) of the way there."""
    truth, happened = truths(MANY, seed=7)
    distorted = softmax(1.06 * np.log(truth))
    full, shrunk = (
        fit_calibrator("temperature", distorted, happened, prior).weights[0][0] - 1  # type: ignore[attr-defined]
        for prior in (1e-6, PRIOR_MATCHES)
    )
    assert shrunk / full == pytest.approx(MANY / (MANY + PRIOR_MATCHES), rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_out_are_probabilities_even_of_certainties(method: CalibrationMethod) -> None:
    truth, happened = truths(3000, seed=8)
    calibrator = fit_calibrator(method, truth, happened)
    extreme = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [np.nan] * 3, [0.2, 0.3, 0.5]])
    found = calibrator.apply(extreme)
    assert found[[0, 1, 2, 4]].sum(axis=1) == pytest.approx(np.ones(4))
    assert np.nanmin(found) >= 0
    assert np.isnan(found[3]).all()


@pytest.mark.parametrize("method", METHODS)
def test_fitting_ignores_unknown_forecasts_and_survives_constant_ones(method: CalibrationMethod) -> None:
    truth, happened = truths(2000, seed=9)
    holes = np.vstack([truth, np.full((5, 3), np.nan)])
    assert fit_calibrator(method, holes, np.r_[happened, [0] * 5]) == fit_calibrator(method, truth, happened)
    same = np.tile([0.5, 0.25, 0.25], (2000, 1))
    assert fit_calibrator(method, same, happened).apply(same).sum(axis=1) == pytest.approx(np.ones(2000))
    assert fit_calibrator(method, truth[:0], happened[:0]) == Identity()


@pytest.mark.parametrize("method", METHODS)
def test_a_calibrator_survives_pickling_unchanged(method: CalibrationMethod) -> None:
    truth, happened = truths(2000, seed=10)
    calibrator = fit_calibrator(method, truth, happened)
    assert pickle.loads(pickle.dumps(calibrator)) == calibrator


def seasons(n: int) -> np.ndarray:
    """Twenty blocks in time order."""
    return np.arange(n) * 20 // n


def test_calibrated_forecasts_are_mostly_left_alone_and_never_changed_much() -> None:
    """Of four methods one beats doing nothing by a standard error now and then: shrinking makes that harmless."""
    chosen = []
    for seed in range(12):
        truth, happened = truths(3000, seed=100 + seed)
        choice = choose_calibrator(truth, happened, seasons(3000))
        chosen.append(choice.method)
        assert np.abs(choice.calibrator.apply(truth) - truth).max() < 0.03
    assert chosen.count("identity") > 6


def test_every_method_is_tried_on_all_but_the_first_span() -> None:
    truth, happened = truths(2000, seed=11)
    choice = choose_calibrator(truth, happened, seasons(2000))
    assert set(choice.log_losses) == set(METHODS)
    assert choice.n_validated == 1600
    assert choice.log_losses["identity"] == pytest.approx(log_loss(truth[400:], happened[400:]).mean())


@pytest.mark.parametrize(
    ("distorted", "expected"),
    [
        (lambda truth: softmax(1.5 * np.log(truth)), "temperature"),
        (lambda truth: softmax(np.log(truth) + np.array([0.3, -0.4, 0.1])), "vector"),
    ],
)
def test_the_simplest_method_that_undoes_the_distortion_is_chosen(distorted, expected: str) -> None:
    truth, happened = truths(MANY, seed=12)
    choice = choose_calibrator(distorted(truth), happened, seasons(MANY))
    assert choice.method == expected
    calibrated = choice.calibrator.apply(distorted(truth))
    assert log_loss(calibrated, happened).mean() < log_loss(distorted(truth), happened).mean() - 0.005
    before, after = (calibration_slope(p, happened) for p in (distorted(truth), calibrated))
    assert abs(after - 1) <= abs(before - 1) + 0.02


def test_blocks_are_not_matches_when_methods_are_compared() -> None:
    """One season in twenty that asks for a bias is no reason for one, however many matches it has."""
    truth, happened = truths(MANY, seed=13)
    odd = seasons(MANY) == 15
    happened[odd] = np.where(np.random.default_rng(14).random(odd.sum()) < 0.15, 1, happened[odd])
    assert choose_calibrator(truth, happened, seasons(MANY)).method == "identity"


def test_too_few_blocks_to_validate_leave_forecasts_alone() -> None:
    truth, happened = truths(500, seed=15)
    for blocks in (np.zeros(500), np.arange(500) * 4 // 500):
        choice = choose_calibrator(softmax(3 * np.log(truth)), happened, blocks)
        assert (choice.method, choice.n_validated) == ("identity", 0)
    assert choose_calibrator(truth[:0], happened[:0], np.zeros(0)).method == "identity"
