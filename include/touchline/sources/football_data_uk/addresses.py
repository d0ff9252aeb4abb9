"""Addresses and calendar of football-data.co.uk: `mmz4281/2223/E0.csv` is the Premier League of 2022/23."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

FIXTURES = "fixtures.csv"
UK = ZoneInfo("Europe/London")
SEASON_FILE = re.compile(r"^mmz4281/(?P<code>\d{4})/(?P<competition>[A-Za-z0-9]{1,4})\.csv$")
# A season begins in July: the earliest match of any file is in mid-July, the latest (2019/20) in August.
FIRST_MONTH = 7


@dataclass(frozen=True)
class SeasonFile:
    """One season file; `start_year` 2022 is season 2022/23."""

    competition: str
    start_year: int

    @property
    def endpoint(self) -> str:
        """Path below the site's root."""
        return f"mmz4281/{season_code(self.start_year)}/{self.competition}.csv"


def season_code(start_year: int) -> str:
    """2022 -> `2223`, as in the provider's paths."""
    return f"{start_year % 100:02d}{(start_year + 1) % 100:02d}"


def season_label(start_year: int) -> str:
    """2022 -> `2022/23`, as everywhere in the warehouse."""
    return f"{start_year}/{(start_year + 1) % 100:02d}"


def season_text(start_year: int) -> str:
    """2022 -> `2022/2023`, as the provider writes it in rows."""
    return f"{start_year}/{start_year + 1}"


def season_start_year(day: date) -> int:
    """The year in which the season that `day` belongs to began."""
    return day.year if day.month >= FIRST_MONTH else day.year - 1


def read_endpoint(endpoint: str) -> SeasonFile | None:
    """The season file an endpoint names, or None (fixtures.csv, or nothing of this provider's)."""
    match = SEASON_FILE.match(endpoint)
    if match is None:
        return None
    first, second = int(match["code"][:2]), int(match["code"][2:])
    if second != (first + 1) % 100:
        return None
    # Files begin in 1993/94, so two digits are enough until 2092/93.
    return SeasonFile(match["competition"], 1900 + first if first >= 93 else 2000 + first)


def uk_day(moment: datetime) -> date:
    """The calendar day in the United Kingdom, which the provider's dates are in."""
    return moment.astimezone(UK).date()
