"""Sets of outcomes that contain the actual outcome as often as stated, whether or not the probabilities are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from touchline.forecasting.logistic import Floats, Ints

COVERAGES = (0.8, 0.9)
N_STRENGTHS = 3
# With fewer matches of a strength, its threshold would say more about these matches than about future ones.
FEWEST_OF_A_STRENGTH = 500


@dataclass(frozen=True)
class PredictionSets:
    """Split conformal sets of home, draw and away, with the stated coverage at every strength of the favourite.

    An outcome's score is the probability of all more probable outcomes plus half its own. That is the mean of the
    randomised score of adaptive prediction sets (Romano, Sesia & Candès 2020), so the same forecast always gets the
    same set. The set contains every outcome whose score is at most the threshold (strengths, coverages).
    `strength_edges` are the favourite's probabilities at which the next strength begins.

    The coverage holds on average over matches that are exchangeable with the calibration matches. It needs no
    assumption about the probabilities, but seasons that differ from earlier ones may miss it. The actual coverage is
    higher where the favourite alone wins more often than that.
    """

    coverages: tuple[float, ...]
    strength_edges: tuple[float, ...]
    thresholds: tuple[tuple[float, ...], ...]

    def sets(self, probabilities: Floats, coverage: float) -> NDArray[np.bool_]:
        """Which of the outcomes (n, 3) are in the set: always the favourite, and none where probabilities are NaN.

        Raises ValueError for a coverage that was not fitted.
        """
        if coverage not in self.coverages:
            raise ValueError(f"coverage {coverage} was not fitted: choose from {self.coverages}")
        column = np.array(self.thresholds)[:, self.coverages.index(coverage)]
        threshold = column[_strength(probabilities, self.strength_edges)]
        favourite = probabilities == probabilities.max(axis=1, keepdims=True)
        return np.asarray((_scores(probabilities) <= threshold[:, None]) | favourite, dtype=np.bool_)


def fit_prediction_sets(
    probabilities: Floats, outcomes: Ints, coverages: tuple[float, ...] = COVERAGES
) -> PredictionSets:
    """Thresholds from forecasts (n, 3) made out of sample and their outcomes (n,).

    Favourites are divided into `N_STRENGTHS` strengths of equally many matches, or not at all if a strength would have
    fewer than `FEWEST_OF_A_STRENGTH`. Raises ValueError when no match has probabilities.
    """
    known = np.isfinite(probabilities).all(axis=1)
    p, happened = probabilities[known], outcomes[known]
    if not len(p):
        raise ValueError("no forecast match to fit prediction sets on")
    n_strengths = N_STRENGTHS if len(p) >= N_STRENGTHS * FEWEST_OF_A_STRENGTH else 1
    edges = tuple(float(edge) for edge in np.quantile(p.max(axis=1), np.arange(1, n_strengths) / n_strengths))
    scores = _scores(p)[np.arange(len(p)), happened]
    strength = _strength(p, edges)
    thresholds = tuple(
        tuple(_threshold(scores[strength == each], coverage) for coverage in coverages)
        for each in range(n_strengths)
    )
    return PredictionSets(coverages, edges, thresholds)


def _threshold(scores: Floats, coverage: float) -> float:
    """The threshold that a new score of the same kind does not exceed with a probability of at least `coverage`."""
    rank = int(np.ceil((len(scores) + 1) * coverage))
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else float("inf")


def _scores(p: Floats) -> Floats:
    """For each outcome (n, 3): the probability of all more probable ones, plus half its own and of equal ones."""
    above = (p[:, None, :] * (p[:, None, :] > p[:, :, None])).sum(axis=2)
    equal = (p[:, None, :] * (p[:, None, :] == p[:, :, None])).sum(axis=2)
    return np.asarray(above + equal / 2, dtype=np.float64)


def _strength(p: Floats, edges: tuple[float, ...]) -> Ints:
    return np.asarray(np.searchsorted(np.array(edges), p.max(axis=1), side="right"), dtype=np.int64)
