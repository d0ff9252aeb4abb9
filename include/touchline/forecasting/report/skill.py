"""Skill: log loss saved against the market, by season and competition, and the gap to the closing price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.report.frame import Compared, is_at_the_close
from touchline.forecasting.report.intervals import Estimate, mean_where, ratio
from touchline.forecasting.specs import MARKET_CLOSING, MARKET_PREMATCH

EVERYTHING = "all"
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Skill:
    """Log loss per match that a forecast saves against the reference in a group of n matches."""

    group: str
    forecast: str
    n: int
    saved: Estimate


@dataclass(frozen=True)
class Gap:
    """How much of the gap from the pre-match to the closing market a forecast closes.

    `width` is the log loss that the market itself saves from pre-match to close. `share` is None where that is not
    clearly above zero.
    """

    group: str
    forecast: str
    n: int
    width: Estimate
    share: Estimate | None


def skill_by(compared: Compared, column: str) -> list[Skill]:
    """Skill of every rival of the reference in each value of a column (season, competition), and in all matches."""
    saved = {name: compared.saved(name) for name in compared.rivals}
    return [
        Skill(group, name, int(where.sum()), mean_where(saved[name], where, compared.resamples))
        for group, where in groups(compared, column)
        for name in compared.rivals
    ]


def gap_to_closing(compared: Compared, column: str = "season") -> list[Gap]:
    """The gap closed by every forecast made without closing prices; empty without both markets."""
    if not {MARKET_PREMATCH, MARKET_CLOSING} <= set(compared.names):
        return []
    loss = {name: log_loss(compared.probabilities(name), compared.outcomes) for name in compared.names}
    width = loss[MARKET_PREMATCH] - loss[MARKET_CLOSING]
    early = [name for name in compared.names if not is_at_the_close(name) and name != MARKET_PREMATCH]
    return [
        _gap(compared, group, where, name, loss[MARKET_PREMATCH] - loss[name], width)
        for group, where in groups(compared, column)
        for name in early
    ]


def groups(compared: Compared, column: str) -> Iterator[tuple[str, Mask]]:
    """Each value of a column with the matches that have it, then all matches."""
    values = compared.matches[column].astype(str).to_numpy()
    for value in sorted(set(values)):
        yield value, np.asarray(values == value)
    yield EVERYTHING, np.ones(len(values), dtype=np.bool_)


def _gap(compared: Compared, group: str, where: Mask, name: str, closed: Floats, width: Floats) -> Gap:
    found = mean_where(width, where, compared.resamples)
    share = None
    if found.low > 0:
        share = ratio(np.where(where, closed, 0.0), np.where(where, width, 0.0), compared.resamples)
    return Gap(group, name, int(where.sum()), found, share)
