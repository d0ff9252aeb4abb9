"""Where the points, ticks and labels of a line chart are; templates/charts.html draws it as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 230
LEFT: Final = 62
RIGHT: Final = 30
TOP: Final = 12
BOTTOM: Final = 26
N_TICKS: Final = 4
MOST_MONTHS: Final = 6
DAYS_28: Final = 28 * 86400

Point = tuple[datetime, float]


@dataclass(frozen=True)
class Chart:
    """Places in pixels from the upper left corner. `lines` are points by name, `up` and `across` are ticks.

    `zero` is the height of zero, None where it is not between the lowest and the highest tick.
    """

    lines: Mapping[str, Sequence[tuple[float, float]]]
    up: Sequence[tuple[float, str]]
    across: Sequence[tuple[float, str]]
    zero: float | None


def line_chart(series: Mapping[str, Sequence[Point]], decimals: int = 0) -> Chart | None:
    """A chart of values over time (UTC), labelled with so many decimals; None without two times."""
    points = [point for line in series.values() for point in line]
    times = [moment.timestamp() for moment, _ in points]
    if not points or min(times) == max(times):
        return None
    begin, length = min(times), max(times) - min(times)
    ticks = _ticks(min(value for _, value in points), max(value for _, value in points))

    def x(moment: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (moment - begin) / length, 1)

    def y(value: float) -> float:
        return round(
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1
        )

    return Chart(
        {
            name: [(x(moment.timestamp()), y(value)) for moment, value in line]
            for name, line in series.items()
        },
        [(y(tick), f"{tick:.{decimals}f}") for tick in ticks],
        [(x(moment), label) for moment, label in _times(begin, begin + length)],
        y(0) if ticks[0] <= 0 <= ticks[-1] else None,
    )


def _ticks(lowest: float, highest: float) -> list[float]:
    """Round numbers, at least two, of which the first is not above `lowest` and the last not below `highest`."""
    rough = (highest - lowest or abs(highest) or 1) / N_TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _times(begin: float, end: float) -> list[tuple[float, str]]:
    """Labelled times between two (seconds since 1970): beginnings of months, or the two where hardly any is between."""
    first = datetime.fromtimestamp(begin, UTC)
    numbers = range(first.month - 1, first.month + 1 + int((end - begin) / DAYS_28))
    months = [datetime(first.year + number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in numbers]
    months = [month for month in months if begin <= month.timestamp() <= end]
    if len(months) < 2:
        return [(each, f"{datetime.fromtimestamp(each, UTC):%d %b %Y}") for each in (begin, end)]
    return [
        (month.timestamp(), f"{month:%b %Y}") for month in months[:: math.ceil(len(months) / MOST_MONTHS)]
    ]
