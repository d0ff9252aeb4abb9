"""Calibrators correct systematic errors of probabilities, so that outcomes occur as often as forecast.

They are fitted on forecasts made out of sample. Everywhere `probabilities` is (n, 3) home, draw, away, and
`outcomes` (n,) with 0 home, 1 draw, 2 away. Every calibrator is shrunk towards changing nothing, as if
`PRIOR_MATCHES` more matches had been forecast perfectly, because a few thousand matches show mostly noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from touchline.forecasting.logistic import Floats, Ints, softmax
from touchline.forecasting.metrics import SMALLEST_PROBABILITY, log_loss

CalibrationMethod = Literal["identity", "temperature", "vector", "dirichlet", "isotonic"]
# From the simplest to the most flexible, which is the order of preference.
METHODS: tuple[CalibrationMethod, ...] = get_args(CalibrationMethod)

# A slope measured on 14,000 matches has a standard error of 0.025, and true slopes are closer to 1 than that.
PRIOR_MATCHES = 20_000.0
N_FOLDS = 5
NEWTON_STEPS = 50
STEP_TOLERANCE = 1e-9

Knots = tuple[tuple[float, ...], tuple[float, ...]]


class Calibrator(Protocol):
    """Anything that improves probabilities."""

    def apply(self, probabilities: Floats) -> Floats:
        """(n, 3), each row summing to one; NaN rows stay NaN."""
        ...


@dataclass(frozen=True)
class Identity:
    """Leaves probabilities as they are."""

    def apply(self, probabilities: Floats) -> Floats:
        """The same probabilities."""
        return probabilities


@dataclass(frozen=True)
class Affine:
    """softmax(weights log p + biases): temperature, vector and Dirichlet calibration are special cases."""

    weights: tuple[tuple[float, float, float], ...]
    biases: tuple[float, float, float]

    def apply(self, probabilities: Floats) -> Floats:
        """(n, 3); NaN rows stay NaN."""
        return softmax(_logs(probabilities) @ np.array(self.weights).T + np.array(self.biases))


@dataclass(frozen=True)
class Isotonic:
    """A rising curve for each outcome, mixed with the probability itself by `share`, then normalised.

    `curves` are knots (probability, observed share) of home, draw and away, joined by straight lines.
    """

    curves: tuple[Knots, ...]
    share: float

    def apply(self, probabilities: Floats) -> Floats:
        """(n, 3); NaN rows stay NaN."""
        risen = np.column_stack(
            [np.interp(probabilities[:, k], x, y) for k, (x, y) in enumerate(self.curves)]
        )
        mixed = np.maximum(self.share * risen + (1 - self.share) * probabilities, SMALLEST_PROBABILITY)
        return np.asarray(mixed / mixed.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True)
class Choice:
    """The chosen calibrator, and every method's log loss on matches it was not fitted on.

    `n_validated` counts these matches. `log_losses` is empty when there were too few blocks to compare methods.
    """

    method: CalibrationMethod
    calibrator: Calibrator
    log_losses: Mapping[str, float]
    n_validated: int


def fit_calibrator(
    method: CalibrationMethod, probabilities: Floats, outcomes: Ints, prior_matches: float = PRIOR_MATCHES
) -> Calibrator:
    """Fit one method on the matches that have probabilities. Without any, the result changes nothing.

    * temperature: one slope on log p (Guo et al. 2017)
    * vector: a slope and a bias for each outcome (Guo et al. 2017)
    * dirichlet: log p of every outcome in the score of every other (Kull et al. 2019)
    * isotonic: a rising curve for each outcome (Zadrozny & Elkan 2002)
    """
    known = np.isfinite(probabilities).all(axis=1)
    p, happened = probabilities[known], outcomes[known]
    if method == "identity" or not len(p):
        return Identity()
    if method == "isotonic":
        curves = tuple(_curve(p[:, k], happened == k) for k in range(3))
        return Isotonic(curves, len(p) / (len(p) + prior_matches))
    logs = _logs(p)
    design = _DESIGNS[method](logs)
    found = _fit(design, logs, happened, prior_matches)
    return _affine(method, found)


def choose_calibrator(probabilities: Floats, outcomes: Ints, blocks: NDArray[np.generic]) -> Choice:
    """The method that forecasts later matches best, fitted on all matches.

    `blocks` (n,) are seasons or matchdays, sorted by time and never split. They are divided into `N_FOLDS` spans, and
    each span but the first is forecast by calibrators fitted on the spans before it. The choice is the simplest
    method whose log loss there is within one standard error of the best one's (paired, over blocks).
    """
    known = np.isfinite(probabilities).all(axis=1)
    p, happened = probabilities[known], outcomes[known]
    labels, block = np.unique(blocks[known], return_inverse=True)
    if len(labels) < N_FOLDS:
        return Choice("identity", Identity(), {}, 0)
    fold = block * N_FOLDS // len(labels)
    later = fold > 0
    losses = {method: _later_losses(method, p, happened, fold)[later] for method in METHODS}
    best = min(METHODS, key=lambda method: losses[method].mean())
    method = next(name for name in METHODS if _is_as_good(losses[name] - losses[best], block[later]))
    means: dict[str, float] = {name: float(each.mean()) for name, each in losses.items()}
    return Choice(method, fit_calibrator(method, p, happened), means, int(later.sum()))


def _later_losses(method: CalibrationMethod, p: Floats, outcomes: Ints, fold: Ints) -> Floats:
    losses = np.full(len(p), np.nan)
    for this in range(1, N_FOLDS):
        before, here = fold < this, fold == this
        calibrator = fit_calibrator(method, p[before], outcomes[before])
        losses[here] = log_loss(calibrator.apply(p[here]), outcomes[here])
    return losses


def _is_as_good(behind: Floats, block: Ints) -> bool:
    """Whether the mean of `behind` (n,) is within one standard error of zero, with blocks as the sampling units."""
    mean = float(behind.mean())
    residuals = np.bincount(block, behind - mean)
    return mean <= float(np.sqrt((residuals**2).sum()) / len(behind))


def _fit(design: Floats, offset: Floats, outcomes: Ints, prior_matches: float) -> Floats:
    """Parameters (m,) of softmax(offset + design (n, 3, m) @ parameters) by penalised Newton steps from zero.

    The penalty is the information that `prior_matches` matches like these would carry for zero (Zellner 1986).
    Directions in which the matches carry no information stay at zero. Raises numpy.linalg.LinAlgError when there is
    no maximum, which can only happen without a prior.
    """
    n, _, m = design.shape
    missed = np.eye(3)[outcomes]
    parameters, penalty = np.zeros(m), np.zeros((m, m))
    for step_number in range(NEWTON_STEPS):
        p = softmax(offset + design @ parameters)
        mean = np.einsum("nk,nkj->nj", p, design)
        information = (design * p[:, :, None]).reshape(-1, m).T @ design.reshape(-1, m) - mean.T @ mean
        if step_number == 0:
            penalty = information * (prior_matches / n)
        gradient = np.einsum("nk,nkj->j", missed - p, design) - penalty @ parameters
        step = np.linalg.pinv(information + penalty, rcond=1e-10, hermitian=True) @ gradient
        parameters = parameters + step
        if np.abs(step).max() < STEP_TOLERANCE:
            return np.asarray(parameters, dtype=np.float64)
    raise np.linalg.LinAlgError("the likelihood has no maximum")


def _temperature_design(logs: Floats) -> Floats:
    return logs[:, :, None]


def _vector_design(logs: Floats) -> Floats:
    design = np.zeros((len(logs), 3, 5))
    for k in range(3):
        design[:, k, k] = logs[:, k]
    design[:, 1, 3] = design[:, 2, 4] = 1.0
    return design


def _dirichlet_design(logs: Floats) -> Floats:
    design = np.zeros((len(logs), 3, 8))
    design[:, 1, 0:3] = design[:, 2, 3:6] = logs
    design[:, 1, 6] = design[:, 2, 7] = 1.0
    return design


_DESIGNS = {"temperature": _temperature_design, "vector": _vector_design, "dirichlet": _dirichlet_design}


def _affine(method: CalibrationMethod, found: Floats) -> Affine:
    weights, biases = np.eye(3), np.zeros(3)
    if method == "temperature":
        weights += found[0] * np.eye(3)
    elif method == "vector":
        weights += np.diag(found[:3])
        biases[1:] = found[3:]
    else:
        weights[1:] += found[:6].reshape(2, 3)
        biases[1:] = found[6:]
    rows = tuple((float(a), float(b), float(c)) for a, b, c in weights)
    return Affine(rows, (float(biases[0]), float(biases[1]), float(biases[2])))


def _curve(p: Floats, happened: NDArray[np.bool_]) -> Knots:
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(p, happened.astype(np.float64))
    return tuple(map(float, fitted.X_thresholds_)), tuple(map(float, fitted.y_thresholds_))


def _logs(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(probabilities, SMALLEST_PROBABILITY)), dtype=np.float64)
