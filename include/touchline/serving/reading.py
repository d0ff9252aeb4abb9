"""How pages write numbers, times and prices: as whoever looks at them reads. They are filters of the templates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final

from touchline.accounts.formats import Formats
from touchline.accounts.profiles import Profile

MINUTE, HOUR, DAY = 60, 3600, 86400
# A variable of the context, so that macros, which see nothing of what a page is given, write alike.
_formats: Final = ContextVar("formats", default=Profile().formats)


@contextmanager
def read_by(formats: Formats) -> Iterator[None]:
    """Within the block the functions below write for the user with these formats."""
    token = _formats.set(formats)
    try:
        yield
    finally:
        _formats.reset(token)


def at(moment: datetime, pattern: str = "EEE dd MMM y, HH:mm z") -> str:
    """A time in the reader's zone and language; the pattern is one of CLDR."""
    return _formats.get().time(moment, pattern)


def number(value: float, places: int = 0, sign: bool = False) -> str:
    """A number with so many decimal places."""
    return _formats.get().number(value, places, sign=sign)


def percent(probability: float, places: int = 0, sign: bool = False) -> str:
    """A probability in per cent, or a change of one in points, without the unit; no change has no sign."""
    value = 100 * probability
    return number(value, places, sign) if round(value, places) else number(0, places)


def price(value: float | None) -> str:
    """A decimal price in the reader's format; a dash where there is none."""
    return _formats.get().price(value) or "\N{EN DASH}"


def since(moment: datetime | None, now: datetime) -> str:
    """How long ago something was, or how far ahead it is, in words; both UTC."""
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    side, length = "ago" if seconds > 0 else "ahead", abs(seconds)
    if length < MINUTE:
        return "just now"
    if length < HOUR:
        return f"{length / MINUTE:.0f} min {side}"
    return f"{length / HOUR:.0f} h {side}" if length < 2 * DAY else f"{length / DAY:.0f} days {side}"


FILTERS: Final = {"at": at, "number": number, "percent": percent, "price": price, "since": since}
