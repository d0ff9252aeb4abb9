"""Which matches something is about, in the few words that an asset event carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Extent:
    """How many matches, of which competitions (codes, sorted), on which days (ISO 8601, None without a match).

    The days are those of `kickoff_on`, or UTC days where only the kick-off is known.
    """

    competitions: tuple[str, ...]
    first_match_on: str | None
    last_match_on: str | None
    n_matches: int

    @classmethod
    def of(
        cls, competitions: Sequence[str], first_match_on: date | None, last_match_on: date | None, n_matches: int
    ) -> Extent:  # fmt: skip
        """From the columns of a query."""
        first, last = (None if day is None else day.isoformat() for day in (first_match_on, last_match_on))
        return cls(tuple(competitions), first, last, n_matches)
