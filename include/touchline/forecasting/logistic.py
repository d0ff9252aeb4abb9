"""Multinomial logistic models of home, draw and away, fitted by Newton's method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEWTON_STEPS = 50
STEP_TOLERANCE = 1e-9
QUASI_NEWTON_STEPS = 300
QUASI_NEWTON_TOLERANCE = 1e-5


def softmax(scores: Floats) -> Floats:
    """Probabilities proportional to exp(score) along the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float64)


def fit_shared(design: Floats, outcomes: Ints, ridge: float = 0.0, offset: Floats | None = None) -> Floats:
    """Parameters (k,) of p = softmax over the outcomes of `offset` (n, 3) plus design (n, 3, k) times parameters.

    Maximises the log likelihood less `ridge` / 2 times the squared parameters. The maximum is unique as long as the
    columns differ between outcomes and no outcome is separated with certainty. Raises numpy.linalg.LinAlgError when
    there is no maximum.
    """
    n_parameters = design.shape[2]
    happened = np.eye(3)[outcomes]
    parameters = np.zeros(n_parameters)
    fixed = 0.0 if offset is None else offset
    for _ in range(NEWTON_STEPS):
        p = softmax(fixed + design @ parameters)
        gradient = np.einsum("nk,nkj->j", happened - p, design) - ridge * parameters
        mean = np.einsum("nk,nkj->nj", p, design)
        weighted = (design * p[:, :, None]).reshape(-1, n_parameters)
        information = weighted.T @ design.reshape(-1, n_parameters) - mean.T @ mean
        step = np.linalg.solve(information + ridge * np.eye(n_parameters), gradient)
        parameters = parameters + step
        if not np.isfinite(parameters).all():
            raise np.linalg.LinAlgError("the likelihood has no maximum")
        if np.abs(step).max() < STEP_TOLERANCE:
            return parameters
    raise np.linalg.LinAlgError("the likelihood has no maximum")


def with_intercepts(scores: Floats) -> Floats:
    """Design (n, 3, 3) of one slope on `scores` (n, 3) and intercepts of draw and away against home."""
    design = np.zeros((len(scores), 3, 3))
    design[:, :, 0] = scores
    design[:, 1, 1] = design[:, 2, 2] = 1.0
    return design


def fit_per_outcome(columns: Floats, outcomes: Ints, weights: Floats, ridge: float) -> Floats:
    """Coefficients (m + 1, 2) of draw and away against home on `columns` (n, m); the first row are intercepts.

    Maximises the weighted log likelihood less `ridge` / 2 times the squared coefficients, intercepts free.
    """
    n, m = columns.shape
    design = np.column_stack([np.ones(n), columns])
    happened = np.eye(3)[outcomes][:, 1:]
    penalty = np.tile(np.r_[0.0, np.full(m, ridge)], 2)
    # The curvature at base rates is close to its maximum and can serve every step: one large product instead of ten.
    shares = np.average(happened, axis=0, weights=weights)
    gram = (design * weights[:, None]).T @ design
    curvature = np.kron(np.diag(shares) - np.outer(shares, shares), gram) + np.diag(penalty)
    inverse = np.linalg.inv(curvature)
    coefficients = np.zeros(2 * (m + 1))
    for _ in range(QUASI_NEWTON_STEPS):
        p = softmax(per_outcome_scores(columns, coefficients.reshape(2, m + 1).T))[:, 1:]
        gradient = ((happened - p) * weights[:, None]).T @ design
        step = inverse @ (gradient.ravel() - penalty * coefficients)
        coefficients = coefficients + step
        if np.abs(step).max() < QUASI_NEWTON_TOLERANCE:
            return np.asarray(coefficients.reshape(2, m + 1).T, dtype=np.float64)
    raise np.linalg.LinAlgError("the likelihood has no maximum")


def per_outcome_scores(columns: Floats, coefficients: Floats) -> Floats:
    """Scores (n, 3) of home (always 0), draw and away."""
    scores = np.zeros((len(columns), 3))
    scores[:, 1:] = coefficients[0] + columns @ coefficients[1:]
    return scores
