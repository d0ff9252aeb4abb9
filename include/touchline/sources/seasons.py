"""The season a match belongs to, and its label: `2025/26`, or `2025` where seasons are calendar years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from touchline.sources.football_data_uk.addresses import season_label, season_start_year

# Brazil's season of 2020 ended in February 2021 and is still called 2020. Argentina's seasons have been calendar years
# only since 2021, and Japan's were until 2025. So the day decides only where nothing says the season.
CALENDAR_YEAR = frozenset({"ARG", "BRA", "CHN", "FIN", "IRL", "JPN", "NOR", "SWE", "USA"})


def start_year_of(competition: str, day: date) -> int:
    """The year in which the season that `day` belongs to began."""
    return day.year if competition in CALENDAR_YEAR else season_start_year(day)


def label_of(competition: str, start_year: int) -> str:
    """2025 -> `2025/26`; `2025` where seasons are calendar years."""
    return str(start_year) if competition in CALENDAR_YEAR else season_label(start_year)


def labels_around(days: Iterable[date]) -> list[str]:
    """Every label that a season on one of these days may have, in both forms: of their years and the years beside."""
    years = {day.year + beside for day in days for beside in (-1, 0, 1)}
    return sorted({form for year in years for form in (str(year), season_label(year))})


def start_years(competition: str, start: date, end: date) -> Sequence[int]:
    """Start years of the seasons that the days from `start` to `end` touch."""
    return range(start_year_of(competition, start), start_year_of(competition, end) + 1)


def codes_by_season(codes: Mapping[str, str], start: date, end: date) -> list[tuple[int, str]]:
    """Start year and the provider's code of every season that the days touch, oldest first.

    `codes` maps our competitions to the provider's; within a year they keep their order.
    """
    wanted = sorted(
        (year, place)
        for place, competition in enumerate(codes)
        for year in start_years(competition, start, end)
    )
    theirs = list(codes.values())
    return [(year, theirs[place]) for year, place in wanted]
