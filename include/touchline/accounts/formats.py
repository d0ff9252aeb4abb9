"""Numbers, times and prices as a user reads them. What is computed with stays a number, an instant, a decimal price."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from functools import cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import NumberPattern, format_decimal, format_percent, parse_pattern

OddsFormat = Literal["decimal", "fractional", "american"]
ODDS_FORMATS: tuple[OddsFormat, ...] = get_args(OddsFormat)
# Of the countries whose football is served, and of the largest other groups of readers. Each takes half a megabyte of
# memory once it is used, so that not all of Babel's thousand are.
LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "de_AT", "de_CH", "el", "en_GB", "en_US", "es", "es_MX", "fi", "fr", "fr_BE", "he",
    "hr", "hu", "it", "ja", "ko", "nb", "nl", "nl_BE", "pl", "pt", "pt_BR", "ro", "ru", "sk", "sl", "sr", "sv", "tr",
    "uk", "zh",
)  # fmt: skip
# Enough for the fractions that bookmakers write, such as 10/11 and 13/8; more would be nearer, and read by nobody.
LARGEST_DENOMINATOR = 10


def fractional(price: float) -> str:
    """A decimal price above 1 as the nearest profit for a stake, such as 6/4 written 3/2.

    Of profit and stake, the smaller is at most 10; the fraction is within 5% of the profit.
    """
    profit = Fraction(price) - 1
    if profit < 1:
        profit = 1 / (1 / profit).limit_denominator(LARGEST_DENOMINATOR)
    else:
        profit = profit.limit_denominator(LARGEST_DENOMINATOR)
    return f"{profit.numerator}/{profit.denominator}"


def american(price: float) -> str:
    """A decimal price above 1 as the profit on a stake of 100 (+150), or the stake for a profit of 100 (-200)."""
    return f"+{round(100 * (price - 1))}" if price >= 2 else f"-{round(100 / (price - 1))}"


@cache
def _pattern(places: int, sign: bool) -> NumberPattern:
    plain = "#,##0" + ("." + "0" * places if places else "")
    return parse_pattern(f"+{plain};-{plain}" if sign else plain)


class Formats:
    """How one user reads: `time_zone` is an IANA name, `language` one of LANGUAGES."""

    def __init__(self, time_zone: str, odds_format: OddsFormat, language: str) -> None:
        self.zone = ZoneInfo(time_zone)
        self._odds = odds_format
        self._locale = Locale.parse(language)

    def local(self, moment: datetime) -> datetime:
        """An instant with the offset of the user's zone."""
        return moment.astimezone(self.zone)

    def time(self, moment: datetime, pattern: str = "EEE d MMM y, HH:mm z") -> str:
        """An instant in the user's zone and language, in words; the pattern is one of CLDR."""
        return format_datetime(moment, pattern, tzinfo=self.zone, locale=self._locale)

    def number(self, value: float, places: int = 0, *, sign: bool = False) -> str:
        """A number with so many decimal places, and with its sign where that is asked for."""
        return format_decimal(value, _pattern(places, sign), self._locale)

    def percent(self, probability: float) -> str:
        """A probability in per cent, with one decimal place."""
        return format_percent(probability, self._locale.percent_formats[None].pattern.replace("0", "0.0"),
                              locale=self._locale)  # fmt: skip

    def price(self, price: float | None) -> str | None:
        """A decimal price in the user's format; None where there is none, or nothing can be won."""
        if price is None or price <= 1:
            return None
        if self._odds == "fractional":
            return fractional(price)
        return (
            american(price) if self._odds == "american" else format_decimal(price, "#,##0.00", self._locale)
        )
