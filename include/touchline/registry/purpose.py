"""What every version is for, and what none knows: the words of its card that are not measured."""

from __future__ import annotations

from typing import Final

INTENDED_USE: Final = (
    "Probabilities of home win, draw and away win of football matches before kick-off, and expected goals that fit "
    "them. Made for comparison with market prices and for the board. Not made for matches already under way, for "
    "competitions it has not learnt from, or as advice to bet: the market is nearly always as good."
)
LIMITS: Final = (
    "It knows results, shots, ratings, the calendar and prices, but no line-ups, injuries or motives.",
    "Where a match has no price, the market's part is missing.",
    "The first matches of a season and of promoted teams are the least certain.",
)
