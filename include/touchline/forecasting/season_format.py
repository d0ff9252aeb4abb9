"""The format of a competition's season, from the rows of the seeds season_format and season_place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from touchline.forecasting.final_table import TIE_BREAKERS, TieBreaker
from touchline.forecasting.season import Format, Pair, StrengthDeviation

# In the order in which the ledger has them.
OUTCOMES: Final = (
    "title", "champions_league", "europe", "championship_play_off", "promotion", "promotion_play_off",
    "relegation_play_off", "relegation",
)  # fmt: skip

# By `python -m benchmarks.season_skill` on the seasons 1998/99 to 2009/10; those after them are judged with it.
STRENGTH_DEVIATION: Final = StrengthDeviation(now=0.0079, per_match=0.00017)


def format_of(
    formats: Iterable[Mapping[str, Any]], places: Iterable[Mapping[str, Any]], competition: str, season: str
) -> Format | None:
    """The format of one season, of rows as a database or a CSV file has them; None when no row holds.

    Raises ValueError for a tie-breaker or an outcome that nobody knows.
    """
    for row in formats:
        if _holds(row, competition, season):
            n_teams = int(row["n_teams"])
            return Format(
                n_teams,
                int(row["n_meetings"]),
                tuple(_tie_breaker(name) for name in row["tie_breakers"].split()),
                tuple(_group(text) for text in (row["split_groups"] or "").split()),
                tuple(int(place) for place in (row["play_offs_after"] or "").split()),
                _places(places, competition, season, n_teams),
                row["not_simulated"] or None,
            )
    return None


def _holds(row: Mapping[str, Any], competition: str, season: str) -> bool:
    first: str = row["first_season"]
    last: str = row["last_season"] or "9999"
    return bool(row["competition"] == competition) and first <= season <= last


def _places(
    rows: Iterable[Mapping[str, Any]], competition: str, season: str, n_teams: int
) -> dict[str, Pair]:
    found = {
        row["outcome"]: (_from_top(row["first_place"], n_teams), _from_top(row["last_place"], n_teams))
        for row in rows
        if _holds(row, competition, season)
    }
    if unknown := found.keys() - set(OUTCOMES):
        raise ValueError(
            f"season_place has the outcome {min(unknown)!r} for {competition}; known are {OUTCOMES}"
        )
    return found


def _from_top(place: Any, n_teams: int) -> int:
    """A place from the first on; the seed counts negative ones from the last."""
    number = int(place)
    return number if number > 0 else n_teams + 1 + number


def _tie_breaker(name: str) -> TieBreaker:
    for known in TIE_BREAKERS:
        if name == known:
            return known
    raise ValueError(f"season_format has the tie-breaker {name!r}; known are {TIE_BREAKERS}")


def _group(text: str) -> Pair:
    size, meetings = text.split("x")
    return int(size), int(meetings)
