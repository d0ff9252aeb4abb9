"""The uncertainty of probabilities: a standard error and an interval for every outcome of every match.

A match is played once, so no data can show its true probabilities, and an error that all forecasts of a match share
leaves no trace in outcomes. Two parts of the error can be measured:

* calibration: how much the observed share differs from the forecast, among forecasts of about the same probability,
  or the standard error of that share where this is larger;
* disagreement: the spread of several forecasts of the same match ("members": candidates, or an ensemble's models),
  as the standard error of their mean if their errors are independent of each other.

Members that learned from the same data err together, and then the spread is too small. If a better informed
forecast of the same past matches is given as `reference` (closing prices, for forecasts made days before), the
spread is scaled so that its mean square equals that of the distance to the reference. Intervals then say where the
better informed forecast will lie, which is as close to the truth as we can see.

Errors are added on the scale of log odds, so that an interval never leaves 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtri

from touchline.forecasting.logistic import Floats, Ints

MOST_BINS = 20
FEWEST_PER_BIN = 500
# The spread of a few members is noisy, so the mean spread of all matches counts as this many further members.
PRIOR_MEMBERS = 4
EDGE = 1e-9


@dataclass(frozen=True)
class Intervals:
    """`standard_error`, `low` and `high` of each probability; each (n, 3), NaN where the forecast is."""

    standard_error: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Uncertainty:
    """The errors of probabilities, estimated from past matches.

    `calibration` are pairs (log odds of a forecast, root mean square error of its calibration in log odds), joined by
    straight lines. `spread` is the mean variance of a member in log odds; `scale` multiplies the standard error from
    disagreement.
    """

    calibration: tuple[tuple[float, float], ...]
    spread: float
    scale: float

    def intervals(self, probabilities: Floats, members: Floats, level: float) -> Intervals:
        """Intervals that contain the true probability with probability `level` (0 to 1), under the assumptions above.

        `probabilities` (n, 3) are the published ones. `members` (m, n, 3) are the forecasts whose spread counts, at
        least 2, in any order.
        """
        centre = _log_odds(probabilities)
        at, error = np.array(self.calibration).T
        variance = np.interp(centre, at, error) ** 2
        variance += self.scale**2 * _variance_of_mean(members, self.spread)
        width = np.sqrt(variance)
        reach = ndtri((1 + level) / 2) * width
        return Intervals(
            standard_error=np.asarray(probabilities * (1 - probabilities) * width, dtype=np.float64),
            low=np.asarray(expit(centre - reach), dtype=np.float64),
            high=np.asarray(expit(centre + reach), dtype=np.float64),
        )


def fit_uncertainty(
    probabilities: Floats, outcomes: Ints, members: Floats, reference: Floats | None = None
) -> Uncertainty:
    """Learn from forecasts (n, 3) made out of sample, their outcomes (n,) and their members (m, n, 3).

    `reference` (n, 3) are better informed forecasts, NaN where there is none; without them the spread is not scaled.
    Matches whose forecast or members are NaN are left out. Raises ValueError when no match is left, or with fewer
    than two members.
    """
    if len(members) < 2:
        raise ValueError("disagreement needs at least two members")
    known = np.isfinite(probabilities).all(axis=1) & np.isfinite(members).all(axis=(0, 2))
    if not known.any():
        raise ValueError("no forecast match to learn uncertainty from")
    p, those = probabilities[known], members[:, known]
    spread = float(_log_odds(those).var(axis=0, ddof=1).mean())
    scale = 1.0
    if reference is not None:
        compared = np.isfinite(reference[known]).all(axis=1)
        distance = _log_odds(reference[known][compared]) - _log_odds(p[compared])
        expected = _variance_of_mean(those[:, compared], spread)
        scale = float(np.sqrt((distance**2).mean() / expected.mean())) if expected.any() else 1.0
    return Uncertainty(_calibration(p, outcomes[known]), spread, scale)


def _calibration(p: Floats, outcomes: Ints) -> tuple[tuple[float, float], ...]:
    """Root mean square error of calibration in log odds, at the middle of bins of equally many forecasts."""
    forecast, happened = p.ravel(), np.eye(3)[outcomes].ravel()
    order = np.argsort(forecast, kind="stable")
    n_bins = int(np.clip(len(order) // FEWEST_PER_BIN, 1, MOST_BINS))
    found = []
    for part in np.array_split(order, n_bins):
        middle = float(forecast[part].mean())
        # The error follows from the forecast, because the observed share would make an empty bin certain.
        error = np.sqrt(max(middle * (1 - middle), EDGE) / len(part))
        bias = abs(float(happened[part].mean()) - middle)
        slope = max(middle * (1 - middle), EDGE)
        found.append((float(_log_odds(np.array(middle))), float(max(bias, error) / slope)))
    return tuple(found)


def _variance_of_mean(members: Floats, spread: float) -> Floats:
    """Variance (n, 3) in log odds of the mean of `members`, from the match's own spread and that of all matches."""
    own = _log_odds(members).var(axis=0, ddof=1)
    freedom = len(members) - 1
    pooled = (PRIOR_MEMBERS * spread + freedom * own) / (PRIOR_MEMBERS + freedom)
    return np.asarray(pooled / len(members), dtype=np.float64)


def _log_odds(p: Floats) -> Floats:
    inside = np.clip(p, EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)
