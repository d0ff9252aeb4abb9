"""Bookmakers of the simulated world: noisy views of the true goal rates, with a margin, sharper at kick-off."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import poisson

Floats = npt.NDArray[np.float64]

MARGINS = {"B365": 0.055, "BW": 0.060, "PS": 0.03, "WH": 0.065, "VC": 0.050}
# Standard deviation of the log of a goal rate: what everybody gets wrong, early and late, and what one does.
EARLY_NOISE, LATE_NOISE, OWN_NOISE = 0.09, 0.06, 0.02
MOST_GOALS = 12
LOWEST_PRICE, HIGHEST_PRICE = 1.01, 51.0
# Pinnacle is PS for 1X2 and P for the other markets, as in the real files.
OTHER_MARKETS = {"B365": "B365", "PS": "P"}


def price_columns(rates: Floats, random: np.random.Generator) -> dict[str, Floats]:
    """All price columns of a season file for true goal rates of shape (2, n): pre-match and closing."""
    late = rates * np.exp(random.normal(0, LATE_NOISE, rates.shape))
    early = late * np.exp(random.normal(0, np.sqrt(EARLY_NOISE**2 - LATE_NOISE**2), rates.shape))
    line = _handicap_line(early)
    return {
        **_stage("", early, line, random),
        "AHh": line,
        **_stage("C", late, line, random),
        "AHCh": line,
    }


def _stage(suffix: str, view: Floats, line: Floats, random: np.random.Generator) -> dict[str, Floats]:
    columns: dict[str, Floats] = {}
    quoted: dict[str, list[Floats]] = {"1x2": [], "over_under": [], "asian_handicap": []}
    for bookmaker, margin in MARGINS.items():
        own = _probabilities(view * np.exp(random.normal(0, OWN_NOISE, view.shape)), line)
        prices = {market: _price(probabilities, margin) for market, probabilities in own.items()}
        columns |= _name(bookmaker + suffix, "1x2", prices["1x2"])
        quoted["1x2"].append(prices["1x2"])
        if bookmaker in OTHER_MARKETS:
            for market in ("over_under", "asian_handicap"):
                columns |= _name(OTHER_MARKETS[bookmaker] + suffix, market, prices[market])
        for market in ("over_under", "asian_handicap"):
            quoted[market].append(prices[market])
    for market, all_prices in quoted.items():
        stacked = np.array(all_prices)
        columns |= _name("Max" + suffix, market, stacked.max(axis=0))
        columns |= _name("Avg" + suffix, market, np.round(stacked.mean(axis=0), 2))
    return columns


def _probabilities(view: Floats, line: Floats) -> dict[str, Floats]:
    """Probabilities by market, shape (outcomes, n), from goal rates of shape (2, n)."""
    goals = np.arange(MOST_GOALS + 1)
    home, away = (poisson.pmf(goals[:, None], rate[None, :]) for rate in view)
    grid = home[:, None, :] * away[None, :, :]
    grid /= grid.sum(axis=(0, 1))
    difference = goals[:, None] - goals[None, :]
    total = goals[:, None] + goals[None, :]
    result = np.stack(
        [grid[difference > 0].sum(0), grid[difference == 0].sum(0), grid[difference < 0].sum(0)]
    )
    over = grid[total > 2.5].sum(0)
    covered = (grid * (difference[:, :, None] + line > 0)).sum(axis=(0, 1))
    return {
        "1x2": result,
        "over_under": np.stack([over, 1 - over]),
        "asian_handicap": np.stack([covered, 1 - covered]),
    }


def _handicap_line(view: Floats) -> Floats:
    """The half-goal line nearest to the expected difference, as the home side's handicap."""
    lines: Floats = -(np.floor(view[0] - view[1]) + 0.5)
    return np.clip(lines, -3.5, 3.5)


def _price(probabilities: Floats, margin: float) -> Floats:
    return np.clip(np.round(1 / (probabilities * (1 + margin)), 2), LOWEST_PRICE, HIGHEST_PRICE)


def _name(code: str, market: str, prices: Floats) -> dict[str, Floats]:
    endings = {"1x2": ("H", "D", "A"), "over_under": (">2.5", "<2.5"), "asian_handicap": ("AHH", "AHA")}
    return {code + ending: price for ending, price in zip(endings[market], prices, strict=True)}
