"""Detect models that have seen the outcome: a forecast far better than the market is not skill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from touchline.features.catalogue import FEATURES
from touchline.forecasting.baselines import BaseRates
from touchline.forecasting.design import ModelInput
from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import OUTCOMES, log_loss, paired_difference, resample_matchdays
from touchline.forecasting.specs import BASE_RATES, MARKET_CLOSING
from touchline.forecasting.walk_forward import probabilities_of
from touchline.overround import remove_overround

# Nats by which no honest forecast beats the closing market: more than twice the gap between the pre-match and the
# closing market (0.0038 over 22 divisions), which is all that a perfect reader of news could gain.
BEYOND_THE_CLOSE = 0.01
# Nats by which no honest forecast beats base rates, used where there are no closing prices. The closing market gains
# 0.077 over 22 divisions (30,172 matches, 2019/20 to 2022/23) and 0.154 in the most uneven one, the Scottish
# Premiership. The home side's goals, known only after the match, gain 0.297.
BEYOND_BASE_RATES = 0.25
FEWEST_MATCHES = 200
N_BINS = 20
# The weight, in matches, that the overall shares have in the shares of a bin.
PRIOR_MATCHES = 5.0


@dataclass(frozen=True)
class Leak:
    """`subject` (a feature or a forecast) forecasts better than `reference` by more than `allowed` nats, surely.

    `high` is the upper end of the 95 % interval of `difference`, its mean log loss minus the reference's.
    """

    subject: str
    reference: str
    difference: float
    high: float
    allowed: float
    n_matches: int

    def __str__(self) -> str:
        return (
            f"{self.subject} is implausibly good: log loss {self.difference:+.4f} (at most {self.high:+.4f}) "
            f"against {self.reference} on {self.n_matches:,} matches"
        )


def leaking_features(matches: pd.DataFrame, seed: int) -> tuple[Leak, ...]:
    """Features of a training frame that alone forecast the outcome implausibly well.

    Each feature is cut into bins of equal size, and each match gets the shares of outcomes of the other matches of
    its bin. An honest feature knows less than the closing market, and a planted outcome knows everything.
    """
    closing = remove_overround(
        matches[[f"closing_price_{outcome}" for outcome in OUTCOMES]].astype("float64")
    )
    known = ModelInput(matches)
    base_rates = BaseRates.fit(known).probabilities(known)
    return tuple(
        leak
        for name in FEATURES
        if name in matches
        for leak in _too_good(
            f"feature {name}", _alone(matches[name], matches["outcome"]), closing, base_rates, matches, seed
        )
    )


def leaking_forecast(predictions: pd.DataFrame, forecast: str, seed: int) -> tuple[Leak, ...]:
    """The same test of a forecast in a frame of `walk_forward`, on all its held-out matches."""
    known = {name: probabilities_of(predictions, name) for name in (forecast, MARKET_CLOSING, BASE_RATES)}
    return tuple(
        _too_good(
            f"forecast {forecast}", known[forecast], known[MARKET_CLOSING], known[BASE_RATES], predictions, seed
        )
    )  # fmt: skip


def _too_good(
    subject: str, p: Floats, closing: Floats, base_rates: Floats, matches: pd.DataFrame, seed: int
) -> Iterator[Leak]:
    said = np.isfinite(p).all(axis=1)
    priced = said & np.isfinite(closing).all(axis=1)
    outcomes: Ints = matches["outcome"].to_numpy(dtype=np.int64)
    if _is_informed(closing[priced], base_rates[priced], outcomes[priced]):
        reference, other, allowed, rows = "the closing market", closing, BEYOND_THE_CLOSE, priced
    else:
        reference, other, allowed, rows = "base rates", base_rates, BEYOND_BASE_RATES, said
    own, others = log_loss(p[rows], outcomes[rows]), log_loss(other[rows], outcomes[rows])
    # Most forecasts are far from the limit; only those that look too good are worth a bootstrap.
    if len(own) < FEWEST_MATCHES or (own - others).mean() >= -allowed:
        return
    days = matches["kickoff_at"].dt.date.to_numpy()[rows]
    found = paired_difference(own, others, resample_matchdays(days, seed))
    if found.high < -allowed:
        yield Leak(subject, reference, found.difference, found.high, allowed, len(own))


def _is_informed(closing: Floats, base_rates: Floats, outcomes: Ints) -> bool:
    """Whether prices are better than base rates. Otherwise (mixed-up teams, a broken feed) they are no yardstick."""
    if len(outcomes) < FEWEST_MATCHES:
        return False
    return bool(log_loss(closing, outcomes).mean() < log_loss(base_rates, outcomes).mean())


def _alone(feature: pd.Series, outcome: pd.Series) -> Floats:
    """(n, 3): shares of outcomes among the other matches of the feature's bin; unknown values are a bin."""
    values = feature.to_numpy(dtype=np.float64)
    outcomes: Ints = outcome.to_numpy(dtype=np.int64)
    known = np.isfinite(values)
    edges = (
        np.unique(np.quantile(values[known], np.linspace(0, 1, N_BINS + 1)[:-1]))
        if known.any()
        else values[:0]
    )
    bins = np.where(known, np.searchsorted(edges, values, side="right"), 0)
    happened = np.eye(len(OUTCOMES))[outcomes]
    counts = np.stack([np.bincount(bins, column) for column in happened.T], axis=1)
    prior = PRIOR_MATCHES * happened.mean(axis=0)
    others = counts[bins] - happened + prior
    return np.asarray(others / others.sum(axis=1, keepdims=True), dtype=np.float64)
