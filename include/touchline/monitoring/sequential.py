"""Sequential tests: they may be checked every day without raising more false alarms.

Each test is an e-process: under the hypothesis that all is well its expectation never exceeds 1, so by Ville's
inequality it *ever* reaches 1 / alpha with probability at most alpha (Ramdas, Grunwald, Vovk & Shafer 2023).

A test that began long ago is slow to see a change, because it has to outweigh all the good matches before it. So a
new test begins with each calendar month, and those of the last `TESTS_A_YEAR` months run side by side, sharing the
year's false alarms. Evidence is the decimal logarithm of the e-value: 3 means a thousand to one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy.special import log_ndtr

from touchline.forecasting.logistic import Floats, Ints
from touchline.monitoring.settled import Days

TESTS_A_YEAR = 12
# `mean_above_zero` is most sensitive where the summed variance is some ten times this: 1,000 matches that differ by
# 0.2 nats. Far from there it needs somewhat more matches.
TYPICAL_VARIANCE = 4.0


@dataclass(frozen=True)
class Evidence:
    """The strongest of the running tests: its `value`, and the row where it `began`."""

    value: float
    began: int


def evidence_needed(false_alarms_a_year: float) -> float:
    """The evidence at which a test raises an alarm, so that a year's tests together keep to the given rate."""
    return math.log10(TESTS_A_YEAR / false_alarms_a_year)


def running_tests(days: Days, as_of: datetime) -> Ints:
    """Rows where the running tests began: the first of each of the last `TESTS_A_YEAR` months. `days` ascend."""
    months = days.astype("datetime64[M]")
    _, firsts = np.unique(months, return_index=True)
    this_month = np.datetime64(as_of.strftime("%Y-%m"), "M")
    running: Ints = firsts[months[firsts] > this_month - TESTS_A_YEAR].astype(np.int64)
    return running


def likelihood_ratio(log_ratios: Floats, began: Ints) -> Evidence:
    """Evidence of a mixture of likelihood ratios, with equal weights.

    `log_ratios` (n, k): log of the probability that each of k alternatives gave to what happened, less that of
    the hypothesis. Exact for any number of matches, if matches of the same day do not influence each other.
    """
    since = np.cumsum(log_ratios[::-1], axis=0)[::-1][began]
    values = (np.logaddexp.reduce(since, axis=1) - math.log(log_ratios.shape[1])) / math.log(10)
    return _strongest(values, began)


def mean_above_zero(excess: Floats, days: Days, began: Ints) -> Evidence:
    """Evidence that the mean of `excess` (n,) is above zero.

    One-sided normal mixture (Robbins 1970; Howard, Ramdas, McAuliffe & Sekhon 2021, eq. 3.7) over the sums of
    matchdays, scaled by their squares (de la Pena 1999). Exact if the sums of days are symmetric; only days, not
    matches, have to be independent.
    """
    unique_days, day = np.unique(days, return_inverse=True)
    sums = np.bincount(day, excess, len(unique_days))
    first_days = day[began]
    total = np.cumsum(sums[::-1])[::-1][first_days]
    variance = np.cumsum(sums[::-1] ** 2)[::-1][first_days] + TYPICAL_VARIANCE
    log_e = (
        math.log(2)
        + 0.5 * np.log(TYPICAL_VARIANCE / variance)
        + total**2 / (2 * variance)
        + log_ndtr(total / np.sqrt(variance))
    )
    return _strongest(log_e / math.log(10), began)


def _strongest(values: Floats, began: Ints) -> Evidence:
    place = int(values.argmax())
    return Evidence(float(values[place]), int(began[place]))
