"""A year of settled predictions in a world whose truth is known: as they should be, or gone wrong in a known way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from touchline.forecasting.logistic import Floats, softmax
from touchline.monitoring.settled import Settled

FIRST_DAY = date(2025, 8, 1)
# Of a year; the others have no matches.
N_DAYS = 200
# As 22 divisions have them: 7,000 matches a year.
MATCHES_A_DAY = 35


@dataclass(frozen=True)
class Champion:
    """How a champion forecasts. `noise` is the standard error of its log probabilities, which costs it log loss.

    It says softmax(`slope` log p) of what it believes, and believes of the home side `home_bias` too much;
    (0, 1, 0) is a champion that knows the truth.
    """

    noise: float = 0.0
    slope: float = 1.0
    home_bias: float = 0.0


# Behind the closing market by 0.0035 and 0.0145 nats, as forecasts with and without prices are on real matches, and
# the same with 0.03 nats more.
WITH_ODDS, WORSE_WITH_ODDS = Champion(noise=0.125, slope=0.95), Champion(noise=0.36, slope=0.95)
NO_ODDS, WORSE_NO_ODDS = Champion(noise=0.245, slope=0.82), Champion(noise=0.45, slope=0.82)
KNOWING, OVERCONFIDENT, HOME_BIASED = Champion(), Champion(slope=1.25), Champion(home_bias=0.15)


def simulated_year(
    champion: Champion, seed: int, n_days: int = N_DAYS, matches_a_day: int = MATCHES_A_DAY
) -> tuple[Settled, Floats]:
    """Settled predictions in time order, and what really were the probabilities (n, 3).

    The closing market is off by 0.05 in each log probability.
    """
    random = np.random.default_rng(seed)
    n = n_days * matches_a_day
    gap = 0.45 * random.standard_t(6, n)
    log_truth = np.log(softmax(np.column_stack([0.35 + gap, -0.05 - 0.1 * gap**2, -gap])))
    truth = softmax(log_truth)
    outcomes = (random.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    believed = log_truth + random.normal(0, champion.noise, (n, 3))
    said = softmax(champion.slope * believed + np.array([champion.home_bias, 0.0, 0.0]))
    days = np.repeat(np.datetime64(FIRST_DAY) + np.arange(n_days) * 365 // N_DAYS, matches_a_day)
    settled = Settled(
        kickoff_on=days,
        predicted_at=days.astype("datetime64[us]"),
        probabilities=said,
        closing=softmax(log_truth + random.normal(0, 0.05, (n, 3))),
        outcomes=outcomes.astype(np.int64),
    )
    return settled, truth


def expected_gap(settled: Settled, truth: Floats) -> float:
    """Mean log loss of the champion minus the closing market's, as the truth has it, in nats."""
    behind = np.log(settled.closing) - np.log(settled.probabilities)
    return float((truth * behind).sum(axis=1).mean())
