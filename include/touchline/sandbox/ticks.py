"""How a price moves from the world's early price to its closing price, and wanders in play.

A tick every six hours until three hours before kick-off, then one every quarter of an hour; the last one before
kick-off is the closing price. The whole path follows from the seed and never from when one looks.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from touchline.sandbox.market import MARGINS, OTHER_MARKETS

Floats = npt.NDArray[np.float64]

LISTED_DAYS: Final = 8
IN_PLAY_HOURS: Final = 3
# Minutes from kick-off at which prices may change.
BEFORE: Final = (*range(-LISTED_DAYS * 1440, -180, 360), *range(-180, 0, 15))
DURING: Final = tuple(range(0, IN_PLAY_HOURS * 60, 15))
MINUTES: Final = (*BEFORE, *DURING)
LAST_BEFORE: Final = len(BEFORE) - 1
BOOKMAKERS: Final = tuple(MARGINS)
# How far the way to the closing price strays, as a share of that way: everybody together, and each bookmaker.
COMMON_DETOUR, OWN_DETOUR = 0.6, 0.2
IN_PLAY_STEP = 0.15
LOWEST_PRICE, HIGHEST_PRICE, HIGHEST_IN_PLAY = 1.01, 51.0, 101.0
# From this tick in play on the favourite stands at 1.0, as is seen in the last minutes of real matches.
DECIDED_FROM = DURING.index(105)
MARKET_ENDINGS: Final = {
    "1x2": ("H", "D", "A"),
    "over_under": (">2.5", "<2.5"),
    "asian_handicap": ("AHH", "AHA"),
}


@dataclass(frozen=True)
class Quote:
    """Decimal prices of one bookmaker in the order of the market's outcomes; `line` is the home handicap or goals."""

    bookmaker: str
    market: str
    line: float
    prices: tuple[float, ...]


def tick_at(kickoff_at: datetime, moment: datetime) -> int | None:
    """The tick in force at `moment`: an index into MINUTES; None when the match is not listed."""
    minutes = (moment - kickoff_at) / timedelta(minutes=1)
    if minutes >= IN_PLAY_HOURS * 60:
        return None
    found = bisect_right(MINUTES, minutes) - 1
    return found if found >= 0 else None


def ticked_at(kickoff_at: datetime, tick: int) -> datetime:
    """When a tick happened (UTC)."""
    return kickoff_at + timedelta(minutes=MINUTES[tick])


class TickTable:
    """All ticks of a competition's season, matches in the order of its frame."""

    def __init__(self, frame: pl.DataFrame, seed: int, competition: str, start_year: int) -> None:
        random = np.random.default_rng([seed, start_year, int.from_bytes(competition.encode(), "big"), 1])
        n_matches = frame.height
        common = _detours(random, (n_matches,)) * COMMON_DETOUR
        self._lines = frame["AHh"].to_list()
        self._prices: dict[tuple[str, str], Floats] = {}
        for code in BOOKMAKERS:
            for market, endings in MARKET_ENDINGS.items():
                stem = code if market == "1x2" else OTHER_MARKETS.get(code)
                if stem is None:
                    continue
                early, closing = (
                    frame.select(f"{stem}{stage}{ending}" for ending in endings).to_numpy()
                    for stage in ("", "C")
                )
                way = np.linspace(0, 1, len(BEFORE)) + common + _detours(random, (n_matches,)) * OWN_DETOUR
                self._prices[code, market] = _path(early, closing, way)
        closing = self._prices[BOOKMAKERS[0], "1x2"][:, -1:, :]
        walk = np.cumsum(random.normal(0, IN_PLAY_STEP, (n_matches, len(DURING), 3)), axis=1)
        in_play = np.clip(np.round(closing * np.exp(walk), 2), LOWEST_PRICE, HIGHEST_IN_PLAY)
        rows = np.arange(n_matches)
        in_play[rows, DECIDED_FROM:, closing[:, 0, :].argmin(axis=1)] = 1.0
        self._in_play = in_play

    def quotes(self, number: int, tick: int) -> list[Quote]:
        """What every bookmaker offers for match `number` at `tick`; in play only 1x2."""
        if tick > LAST_BEFORE:
            prices = tuple(self._in_play[number, tick - LAST_BEFORE - 1].tolist())
            return [Quote(code, "1x2", 0.0, prices) for code in BOOKMAKERS]
        lines = {"1x2": 0.0, "over_under": 2.5, "asian_handicap": self._lines[number]}
        return [
            Quote(code, market, lines[market], tuple(table[number, tick].tolist()))
            for (code, market), table in self._prices.items()
        ]


def _detours(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Brownian bridges over the ticks before kick-off: 0 at both ends."""
    n_steps = len(BEFORE) - 1
    steps = random.normal(0, 1 / np.sqrt(n_steps), (*shape, n_steps))
    walk = np.concatenate([np.zeros((*shape, 1)), np.cumsum(steps, axis=-1)], axis=-1)
    bridges: Floats = walk - np.linspace(0, 1, n_steps + 1) * walk[..., -1:]
    return bridges


def _path(early: Floats, closing: Floats, way: Floats) -> Floats:
    """Prices of shape (matches, ticks, outcomes) along `way`, 0 at the early and 1 at the closing price."""
    share = way[:, :, None]
    first, last = np.log(1 / early)[:, None, :], np.log(1 / closing)[:, None, :]
    implied = np.exp((1 - share) * first + share * last)
    # The bookmaker keeps its margin on the way.
    start, end = (1 / early).sum(axis=1)[:, None], (1 / closing).sum(axis=1)[:, None]
    overround = start + np.clip(way, 0, 1) * (end - start)
    implied *= (overround / implied.sum(axis=2))[:, :, None]
    return np.clip(np.round(1 / implied, 2), LOWEST_PRICE, HIGHEST_PRICE)
