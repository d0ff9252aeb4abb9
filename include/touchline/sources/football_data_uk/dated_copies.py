"""Dated copies of the site's files, as users keep them: `E0__20260129T090739Z.csv` is E0.csv as it was then."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from touchline.sources.football_data_uk.addresses import FIXTURES, SeasonFile, season_start_year, uk_day
from touchline.sources.football_data_uk.new_leagues import endpoint_of, read_new_league
from touchline.sources.football_data_uk.parse import read_date

# Copies of one file in the order in which they were taken (UTC).
Copies = Sequence[tuple[datetime, Path]]

_COPY = re.compile(r"(?P<name>[A-Za-z0-9]{1,4}|fixtures)__(?P<taken>\d{8}T\d{6}Z)\.csv")
_DATE = re.compile(rb"\b\d{2}/\d{2}/(?:\d{4}|\d{2})\b")


def find_copies(files: Sequence[Path], read: Callable[[Path], bytes]) -> Mapping[str, Copies]:
    """The dated copies among files by the site's path of what they are copies of; `read` gives the bytes of a file."""
    found: dict[str, list[tuple[datetime, Path]]] = defaultdict(list)
    for path in files:
        match = _COPY.fullmatch(path.name)
        if match is None:
            continue
        try:
            taken_at = datetime.strptime(match["taken"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            continue
        found[_endpoint(match["name"], taken_at, read(path))].append((taken_at, path))
    return {endpoint: sorted(copies) for endpoint, copies in found.items()}


def newest_copy(copies: Copies, as_of: datetime) -> Path | None:
    """The newest copy that was taken not later than `as_of`."""
    place = bisect_right(copies, as_of, key=lambda copy: copy[0])
    return copies[place - 1][1] if place else None


def _endpoint(name: str, taken_at: datetime, body: bytes) -> str:
    if f"{name}.csv" == FIXTURES:
        return FIXTURES
    competition = read_new_league(f"new/{name}.csv")
    return (
        SeasonFile(name, _start_year(taken_at, body)).endpoint if competition is None else endpoint_of(name)
    )


def _start_year(taken_at: datetime, body: bytes) -> int:
    """The season of most of a file's days: in summer the site still shows the last one."""
    days = [read_date(text.decode()) for text in _DATE.findall(body)]
    years = Counter(season_start_year(day) for day in days if day is not None)
    return years.most_common(1)[0][0] if years else season_start_year(uk_day(taken_at))
