"""Calibration: do the champion's probabilities still mean what they say?"""

from __future__ import annotations

import itertools
import math
from datetime import datetime

import numpy as np

from touchline.forecasting.logistic import Floats, Ints, softmax
from touchline.forecasting.metrics import SMALLEST_PROBABILITY, calibration_slope
from touchline.monitoring.finding import Finding
from touchline.monitoring.sequential import evidence_needed, likelihood_ratio, running_tests
from touchline.monitoring.settled import Settled
from touchline.settings import Settings

METRIC = "calibration"
# Recalibrations softmax(bias + slope log p) that would matter. None is closer to (1, 0), so a forecast whose slope is
# 0.97 is not called miscalibrated, however many matches there are.
SLOPES = (0.8, 0.9, 1.0, 1.1, 1.25)
HOME_BIASES = (-0.15, 0.0, 0.15)
DRAW_BIASES = (-0.15, 0.0, 0.15)
RECALIBRATIONS = tuple(
    (slope, home, draw)
    for slope, home, draw in itertools.product(SLOPES, HOME_BIASES, DRAW_BIASES)
    if (slope, home, draw) != (1.0, 0.0, 0.0)
)


def calibration_drift(
    settled: Settled, settings: Settings, as_of: datetime, false_alarms_a_year: float
) -> Finding | None:
    """Evidence that a recalibration of the champion's probabilities would have described the outcomes better.

    The detail gives the slope (below 1: overconfident) and the observed minus the forecast share of home wins, draws
    and away wins. None while there are fewer than `settings.drift.fewest_matches`.
    """
    began = running_tests(settled.kickoff_on, as_of)
    if not len(began) or len(settled) - began[0] < settings.drift.fewest_matches:
        return None
    ratios = recalibration_ratios(settled.probabilities, settled.outcomes)
    evidence = likelihood_ratio(ratios, began)
    threshold = evidence_needed(false_alarms_a_year)
    p, outcomes = settled.probabilities[evidence.began :], settled.outcomes[evidence.began :]
    slope = calibration_slope(p, outcomes)
    bias = np.eye(3)[outcomes].mean(axis=0) - p.mean(axis=0)
    return Finding(
        METRIC, settings.model_name, evidence.value, threshold, len(outcomes), evidence.value >= threshold,
        {
            "since": str(settled.kickoff_on[evidence.began]),
            "slope": slope if math.isfinite(slope) else None,
            "observed_minus_promised": [round(float(each), 6) for each in bias],
        },
    )  # fmt: skip


def recalibration_ratios(probabilities: Floats, outcomes: Ints) -> Floats:
    """(n, k) log likelihood ratios of each of the `RECALIBRATIONS` against the probabilities (n, 3) as they are.

    Cox (1958) recalibration in its multinomial form, one slope and a bias of home wins and draws.
    """
    log_p = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
    at = np.arange(len(outcomes))
    columns = [
        np.log(softmax(slope * log_p + np.array([home, draw, 0.0]))[at, outcomes]) - log_p[at, outcomes]
        for slope, home, draw in RECALIBRATIONS
    ]
    return np.column_stack(columns)
