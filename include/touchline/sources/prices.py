"""Check quotes: a quote is kept only if it has all its prices, they are plausible, and it is from before kick-off."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime

from touchline.sources.football_data_uk.quotes import BOOKMAKER_BOUNDS, HIGHEST_PRICE
from touchline.sources.json_body import FieldInvalid, shown
from touchline.sources.match_rows import Row

OUTCOMES = {
    "1x2": ("price_home", "price_draw", "price_away"),
    "over_under": ("price_over", "price_under"),
    "asian_handicap": ("price_home", "price_away"),
}
HIGHEST_LINE = 20.0
_NUMBER = re.compile(r"[+-]?[0-9]{1,6}(\.[0-9]{1,6})?")


def number(value: object) -> float | None:
    """A finite number, which may be written as text; None for anything else."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def overround(prices: Mapping[str, float]) -> float:
    """Sum of the implied probabilities."""
    return sum(1 / price for price in prices.values())


def add_quote(
    row: Row,
    place: str,
    *,
    bookmaker: str,
    market: str,
    line: object,
    offered: Mapping[str, object],
    quoted_at: datetime,
    published_at: datetime,
    kickoff_at: datetime,
) -> None:
    """Add a quote to the row, or a rejection naming `place`.

    `offered` maps price_home and so on to the provider's values. `line` is the goals line, the handicap of the home
    side, or 0 for 1x2.
    """
    try:
        points = _line(place, line)
        prices = _check(place, market, offered)
        if quoted_at >= kickoff_at:
            reason = f"quoted at {quoted_at.isoformat()}, kick-off is at {kickoff_at.isoformat()}"
            _refuse(place, _together(offered), reason, "price_in_play")
        name = (bookmaker, market, points)
        if name in row.quoted:
            reason = "the same bookmaker, market and line appear earlier in this match"
            _refuse(place, _together(offered), reason, "duplicate_quote")
    except FieldInvalid as problem:
        row.reject("price", problem)
        return
    row.quoted.add(name)
    row.quotes.append(
        {
            "bookmaker": bookmaker, "market": market, "line": points, "is_closing": False, **prices,
            "quoted_at": quoted_at, "published_at": published_at,
        }
    )  # fmt: skip


def _line(place: str, line: object) -> float:
    points = number(line)
    if points is None or abs(points) > HIGHEST_LINE:
        raise FieldInvalid(place, line, "the quote needs its line", "line_missing")
    # -0.0 is the same line as 0.0.
    return points + 0.0


def _refuse(place: str, value: str, reason: str, rule: str) -> None:
    raise FieldInvalid(place, value, reason, rule)


def _check(place: str, market: str, offered: Mapping[str, object]) -> dict[str, float]:
    names = OUTCOMES[market]
    together = _together(offered)
    if any(offered.get(name) is None for name in names):
        raise FieldInvalid(place, together, "a quote needs all its prices", "quote_incomplete")
    prices: dict[str, float] = {}
    for name in names:
        price = number(offered[name])
        if price is None or not 1.0 < price <= HIGHEST_PRICE:
            reason = f"a decimal price must be above 1 and at most {HIGHEST_PRICE:.0f}"
            raise FieldInvalid(place, together, reason, "price_invalid")
        prices[name] = price
    low, high = BOOKMAKER_BOUNDS
    if not low <= overround(prices) <= high:
        reason = f"the implied probabilities sum to {overround(prices):.3f}, which is not in [{low}, {high}]"
        raise FieldInvalid(place, together, reason, "overround_impossible")
    return prices


def _together(offered: Mapping[str, object]) -> str:
    return "/".join(shown(value, 40) or "" for value in offered.values())
