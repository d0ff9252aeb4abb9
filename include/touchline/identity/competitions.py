"""The competitions Touchline knows, read from the same seed file that dbt loads."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from touchline.settings import PROJECT_ROOT

SEED = PROJECT_ROOT / "dbt_project" / "seeds" / "competition.csv"


@dataclass(frozen=True)
class Competition:
    """One competition; `tier` 1 is the highest of its country.

    `meets_once` is true where a team receives the same opponent once a season: a second such match is the same one.
    """

    code: str
    name: str
    country: str
    tier: int
    meets_once: bool
    is_simulated: bool


@cache
def competitions() -> dict[str, Competition]:
    """All known competitions by code."""
    with SEED.open(newline="") as lines:
        return {
            row["competition"]: Competition(
                row["competition"],
                row["name"],
                row["country"],
                int(row["tier"]),
                row["n_home_meetings"] == "1",
                row["is_simulated"] == "true",
            )
            for row in csv.DictReader(lines)
        }


def where_pairings_meet_once() -> list[str]:
    """The codes of the competitions in which a team receives the same opponent once a season."""
    return [code for code, competition in competitions().items() if competition.meets_once]
