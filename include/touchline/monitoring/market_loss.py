"""Log loss against the closing market: is the champion further behind it than a good forecast would be?"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from touchline.forecasting.metrics import log_loss
from touchline.monitoring.finding import Finding
from touchline.monitoring.sequential import evidence_needed, mean_above_zero, running_tests
from touchline.monitoring.settled import Settled
from touchline.settings import Settings

METRIC = "log_loss_against_market"


def market_loss(
    settled: Settled, settings: Settings, as_of: datetime, false_alarms_a_year: float
) -> Finding | None:
    """Evidence that the mean gap to the closing market is above `settings.drift.market_gap`.

    The gap of a match is the champion's log loss minus the closing market's, in nats; matches without closing
    prices are left out. None while there are fewer than `settings.drift.fewest_matches`.
    """
    priced = settled.where(np.asarray(np.isfinite(settled.closing).all(axis=1)))
    began = running_tests(priced.kickoff_on, as_of)
    if not len(began) or len(priced) - began[0] < settings.drift.fewest_matches:
        return None
    gap = log_loss(priced.probabilities, priced.outcomes) - log_loss(priced.closing, priced.outcomes)
    evidence = mean_above_zero(gap - settings.drift.market_gap, priced.kickoff_on, began)
    threshold = evidence_needed(false_alarms_a_year)
    return Finding(
        METRIC, settings.model_name, evidence.value, threshold, len(gap) - evidence.began,
        evidence.value >= threshold,
        {
            "since": str(priced.kickoff_on[evidence.began]),
            "gap": float(gap[evidence.began :].mean()),
            "tolerated_gap": settings.drift.market_gap,
        },
    )  # fmt: skip
