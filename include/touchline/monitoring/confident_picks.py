"""Confident picks: are the outcomes that the champion is sure of as frequent as they should be?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
from scipy.special import expit, logit

from touchline.forecasting.logistic import Floats
from touchline.monitoring.finding import Finding
from touchline.monitoring.sequential import evidence_needed, likelihood_ratio, running_tests
from touchline.monitoring.settled import Settled
from touchline.settings import Settings

METRIC = "confident_picks"
PROMISED, FLOOR = "promised", "floor"
# How much less often picks come in than they should, in log odds: 70 % become 66, 61 and 51 %.
SHORTFALLS = (0.2, 0.4, 0.8)
SUREST = 1 - 1e-9


def confident_picks(
    settled: Settled, settings: Settings, as_of: datetime, false_alarms_a_year: float
) -> Iterator[Finding]:
    """Evidence that picks with a top probability of `settings.confident.pick` or more come in too rarely.

    Two subjects share the false alarms: `promised` (less often than their own probabilities say) and `floor` (less
    often than `settings.confident.accuracy`). Nothing while there are fewer than `settings.confident.fewest_picks`.
    """
    sure = settled.where(settled.probabilities.max(axis=1, initial=0.0) >= settings.confident.pick)
    began = running_tests(sure.kickoff_on, as_of)
    if not len(began) or len(sure) - began[0] < settings.confident.fewest_picks:
        return
    promised = sure.probabilities.max(axis=1)
    came_in = (sure.probabilities.argmax(axis=1) == sure.outcomes).astype(np.float64)
    threshold = evidence_needed(false_alarms_a_year / 2)
    due_by_subject = {PROMISED: promised, FLOOR: np.full(len(sure), settings.confident.accuracy)}
    for subject, due in due_by_subject.items():
        evidence = likelihood_ratio(shortfall_ratios(due, came_in), began)
        since = slice(evidence.began, None)
        yield Finding(
            METRIC, subject, evidence.value, threshold, len(came_in[since]), evidence.value >= threshold,
            {
                "since": str(sure.kickoff_on[evidence.began]),
                "accuracy": float(came_in[since].mean()),
                "due": float(due[since].mean()),
            },
        )  # fmt: skip


def shortfall_ratios(due: Floats, came_in: Floats) -> Floats:
    """(n, k) log likelihood ratios of each of the `SHORTFALLS` against picks (n,) that come in as often as `due`.

    Also valid where they come in more often: the ratio's expectation only falls then.
    """
    p = np.minimum(due, SUREST)[:, None]
    less = expit(logit(p) - np.array(SHORTFALLS))
    hit = came_in[:, None]
    return np.asarray(hit * np.log(less / p) + (1 - hit) * np.log((1 - less) / (1 - p)), dtype=np.float64)
