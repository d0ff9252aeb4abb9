"""How a match's probabilities moved, laid out as a chart; the template draws it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Final

from touchline.serving.schemas import PredictionSummary, PricePoint, Probabilities

SIDES: Final = ("home", "draw", "away")
# In units of the drawing, which a page stretches to its width.
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 12, 34
N_TIMES: Final = 4
STEP: Final = 0.1


@dataclass(frozen=True)
class Dot:
    """What was said of one outcome at one time (UTC), and where that is in the drawing."""

    x: float
    y: float
    at: datetime
    p: float


@dataclass(frozen=True)
class Line:
    """One outcome as the market (`is_market`) or the champion had it: a staircase, and a dot at each change."""

    side: str
    is_market: bool
    path: str
    dots: Sequence[Dot]


@dataclass(frozen=True)
class Chart:
    """The lines, and where the marks of probabilities and times (UTC) are in the drawing."""

    lines: Sequence[Line]
    levels: Sequence[tuple[float, float]]
    times: Sequence[tuple[float, datetime]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def movement(
    said: Sequence[PredictionSummary], market: Sequence[PricePoint], until: datetime
) -> Chart | None:
    """What the champion said and the market did, from the first word of either to a time (UTC); None of nothing."""
    spoken = sorted((each.predicted_at, each.probabilities) for each in said)
    seen = [(each.seen_at, each.probabilities) for each in market]
    times = [at for at, _ in (*spoken, *seen)]
    if not times:
        return None
    start, end = min(times), max(until, *times)
    # One word alone has a width, too.
    length = max(end - start, timedelta(minutes=1))
    highest: float = max(getattr(p, side) for _, p in (*spoken, *seen) for side in SIDES)
    top = min(1.0, STEP * ceil(highest / STEP + 0.5))

    def x(at: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((at - start) / length)

    def y(p: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * p / top

    def lines(points: Sequence[tuple[datetime, Probabilities]], is_market: bool) -> Iterator[Line]:
        for side in SIDES if points else ():
            dots = [Dot(x(at), y(getattr(p, side)), at, getattr(p, side)) for at, p in points]
            steps = "".join(f"H{after.x:.1f}V{after.y:.1f}" for _, after in pairwise(dots))
            path = f"M{dots[0].x:.1f} {dots[0].y:.1f}{steps}H{x(end):.1f}"
            yield Line(side, is_market, path, dots)

    return Chart(
        [*lines(seen, True), *lines(spoken, False)],
        [(y(STEP * n), STEP * n) for n in range(round(top / STEP) + 1)],
        [(x(at), at) for at in (start + length * n / (N_TIMES - 1) for n in range(N_TIMES))],
    )
