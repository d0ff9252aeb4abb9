"""Names of teams: those of FiveThirtyEight against those of the season files, 18 competitions, no alias list.

The answer is found without names. Of each competition and season, count for every pair of names how many matches of
the one have a match of the other at the same venue, a day apart at most, with the same score; the assignment with the
most such matches in total is the truth. A pair is sure when it explains most matches of the name and no other pair
explains half as many. Linking never sees a score.
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from touchline.identity.competitions import competitions
from touchline.identity.matching import Decision, Names, match
from touchline.identity.schedule import ScheduledMatch
from touchline.settings import PROJECT_ROOT

# Competitions that both hold, by FiveThirtyEight's ids.
COMPETITIONS = {
    2411: "E0", 2412: "E1", 2413: "E2", 2414: "E3", 2417: "SC0", 1845: "D1", 1846: "D2", 1854: "I1", 1856: "I2",
    1869: "SP1", 1871: "SP2", 1843: "F1", 1844: "F2", 1849: "N1", 1832: "B1", 1864: "P1", 1882: "T1", 1884: "G1",
}  # fmt: skip
YEARS = range(2015, 2023)
DAYS = (timedelta(-1), timedelta(0), timedelta(1))


@dataclass(frozen=True)
class Result:
    """A played match, in the names of its source."""

    played_on: date
    home: str
    away: str
    home_goals: int
    away_goals: int

    @property
    def score(self) -> tuple[int, int]:
        return self.home_goals, self.away_goals


@dataclass(frozen=True)
class Season:
    """One competition and season as both sources have it, and which team each name means."""

    competition: str
    year: int
    spi: Sequence[Result]
    files: Sequence[Result]
    names: Names
    truth: Mapping[str, str]
    n_unsure: int

    @property
    def aliases(self) -> set[str]:
        return {name for result in self.spi for name in (result.home, result.away)}

    def held_by_both(self) -> Iterator[Result]:
        """Matches of the forecasts that the season files hold: the true teams, a day apart at most, same score."""
        held = {(other.home, other.away, other.score, other.played_on) for other in self.files}
        for result in self.spi:
            teams = self.truth.get(result.home), self.truth.get(result.away)
            if any((*teams, result.score, result.played_on + days) in held for days in DAYS):
                yield result


@dataclass(frozen=True)
class Figures:
    """How well one way of linking does; a match is linked when both its names are, and wrong when one is."""

    n_matches: int
    n_linked: int
    n_wrong: int
    n_names: int
    methods: Mapping[str, int]
    wrong_names: Sequence[tuple[str, int, str, str]]
    doubtful: Sequence[tuple[str, int, str]]
    seconds: float

    @property
    def share(self) -> float:
        return self.n_linked / self.n_matches


def read_seasons(shared: Path, season_files: Path) -> list[Season]:
    """Every competition and season that both sources hold."""
    spi = _read_spi(shared / "spi_matches_2016_2023.parquet")
    files = {
        (code, year): _read_season_file(
            season_files / f"{year % 100:02d}{(year + 1) % 100:02d}" / f"{code}.csv"
        )
        for code in COMPETITIONS.values()
        for year in YEARS
    }
    by_country: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for (code, year), results in files.items():
        for later in (year, year + 1):
            by_country[competitions()[code].country, later] |= _names(results)
    seasons = []
    for (code, year), results in sorted(spi.items()):
        teams = frozenset(_names(files[code, year]))
        elsewhere = frozenset(by_country[competitions()[code].country, year]) - teams
        truth, n_unsure = _truth(results, files[code, year])
        names = Names(teams, elsewhere, schedule=_schedule(files[code, year]))
        seasons.append(Season(code, year, results, files[code, year], names, truth, n_unsure))
    return seasons


def measure(seasons: Sequence[Season], *, with_schedule: bool) -> Figures:
    """Link every season afresh, as if no name had been met before, and compare with the truth."""
    n_matches = n_linked = n_wrong = 0
    methods: Counter[str] = Counter()
    wrong_names, doubtful, seconds = [], [], 0.0
    for season in seasons:
        began = time.perf_counter()
        schedule = _schedule(season.spi) if with_schedule else frozenset()
        names = season.names if with_schedule else Names(season.names.teams, season.names.elsewhere)
        decisions = match(season.aliases, names, schedule=schedule)
        seconds += time.perf_counter() - began
        for made in decisions.values():
            methods[made.method or "doubtful"] += 1
            if made.team is None:
                doubtful.append((season.competition, season.year, made.alias))
            elif made.team != season.truth[made.alias]:
                wrong_names.append((season.competition, season.year, made.alias, made.team))
        for result in season.held_by_both():
            sides = [_judge(decisions[name], season.truth[name]) for name in (result.home, result.away)]
            n_matches += 1
            n_linked += sides == [True, True]
            n_wrong += False in sides
    return Figures(
        n_matches, n_linked, n_wrong, sum(methods.values()), methods, wrong_names, doubtful, seconds,
    )  # fmt: skip


def links_to_absent_teams(seasons: Sequence[Season]) -> tuple[int, list[tuple[str, int, str, str]]]:
    """Take the true team of each name out of the list, one at a time; whatever is linked then is wrong.

    Returns how many names were tried, and the wrong links.
    """
    n_tried, wrong = 0, []
    for season in seasons:
        for alias, team in sorted(season.truth.items()):
            kept = frozenset(item for item in season.names.schedule if team not in (item.home, item.away))
            names = Names(season.names.teams - {team}, season.names.elsewhere, schedule=kept)
            made = match(season.aliases, names, schedule=_schedule(season.spi))[alias]
            n_tried += 1
            if made.team is not None:
                wrong.append((season.competition, season.year, alias, made.team))
    return n_tried, wrong


def main() -> None:
    """Print what names alone settle, and what is left when the schedules have spoken."""
    shared = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    archive = shared / "football_data_uk" / "season_files_1993_2023.tar.xz"
    if not archive.exists():
        Console().print(f"identity: skipped, there is no real data at {archive}")
        return
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.unpack_archive(archive, folder)
        seasons = read_seasons(shared, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table(
        title=f"Names of {len(seasons)} competitions and seasons, FiveThirtyEight against the season files"
    )
    for name in ("evidence", "names", "exact", "normalised", "fuzzy", "schedule", "for review", "matches both hold",
                 "linked", "wrong links", "s"):  # fmt: skip
        table.add_column(name, justify="left" if name == "evidence" else "right")
    equal = sum(made in season.names.teams for season in seasons for made in season.aliases)
    both = [
        _figures_row(seasons, name, with_schedule=flag)
        for name, flag in (("names", False), ("and schedules", True))
    ]
    table.add_row("baseline: equal text", str(both[0][0].n_names), str(equal), *[""] * 8)
    for _, cells in both:
        table.add_row(*cells)
    console = Console(width=150)
    console.print(table)
    n_tried, wrong = links_to_absent_teams(seasons)
    console.print(
        f"True team taken out of the list, one name at a time: {len(wrong)} of {n_tried:,} linked to another."
    )
    console.print(
        f"Names without a sure answer by date and score: {sum(season.n_unsure for season in seasons)}."
    )


def _figures_row(
    seasons: Sequence[Season], evidence: str, *, with_schedule: bool
) -> tuple[Figures, list[str]]:
    found = measure(seasons, with_schedule=with_schedule)
    methods = [
        str(found.methods.get(name, 0)) for name in ("exact", "normalised", "fuzzy", "schedule", "doubtful")
    ]
    return found, [
        evidence, str(found.n_names), *methods, f"{found.n_matches:,}", f"{100 * found.share:.2f} %",
        str(found.n_wrong), f"{found.seconds:.1f}",
    ]  # fmt: skip


def _judge(made: Decision, truth: str) -> bool | None:
    return None if made.team is None else made.team == truth


def _read_spi(path: Path) -> dict[tuple[str, int], list[Result]]:
    frame = pl.read_parquet(path).filter(pl.col("league_id").is_in(list(COMPETITIONS)))
    day = pl.col("date").str.to_date()
    # The older files give no season. None of those seasons ended later than June.
    year = pl.coalesce(pl.col("season").cast(pl.Int32), day.dt.year() - (day.dt.month() < 7).cast(pl.Int32))
    wanted = frame.select(
        "league_id", year, day.alias("day"), "team1", "team2", "score1", "score2"
    ).drop_nulls()
    found: defaultdict[tuple[str, int], list[Result]] = defaultdict(list)
    for league, start_year, played_on, home, away, home_goals, away_goals in wanted.iter_rows():
        found[COMPETITIONS[league], start_year].append(
            Result(played_on, home, away, int(home_goals), int(away_goals))
        )
    return found


def _read_season_file(path: Path) -> list[Result]:
    body = path.read_bytes()
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252")
    return [
        Result(
            _day(row["Date"]),
            row["HomeTeam"].strip(),
            row["AwayTeam"].strip(),
            int(row["FTHG"]),
            int(row["FTAG"]),
        )
        for row in csv.DictReader(text.splitlines())
        if row["HomeTeam"] and row["FTHG"]
    ]


def _day(text: str) -> date:
    form = "%d/%m/%y" if len(text) == 8 else "%d/%m/%Y"
    return datetime.strptime(text, form).date()  # noqa: DTZ007


def _truth(spi: Sequence[Result], files: Sequence[Result]) -> tuple[dict[str, str], int]:
    """Which team each name means, by date and score alone, and how many names have no sure answer."""
    at: defaultdict[tuple[date, tuple[int, int]], list[Result]] = defaultdict(list)
    for result in files:
        at[result.played_on, result.score].append(result)
    together: Counter[tuple[str, str]] = Counter()
    appearances: Counter[str] = Counter()
    last = max(result.played_on for result in files)
    for result in spi:
        like = [other for days in DAYS for other in at[result.played_on + days, result.score]]
        together.update(
            {(result.home, other.home) for other in like} | {(result.away, other.away) for other in like}
        )
        if result.played_on <= last:
            appearances.update((result.home, result.away))
    aliases, teams = sorted(_names(spi)), sorted(_names(files))
    counts = np.array([[together[alias, team] for team in teams] for alias in aliases])
    truth, n_unsure = {}, 0
    for i, j in zip(*linear_sum_assignment(counts, maximize=True), strict=True):
        rival = max(np.delete(counts[i], j).max(), np.delete(counts[:, j], i).max())
        is_sure = counts[i, j] > 0.6 * appearances[aliases[i]] and rival < counts[i, j] / 2
        n_unsure += not is_sure
        truth[aliases[i]] = teams[j]
    return truth, n_unsure + len(aliases) - len(truth)


def _names(results: Sequence[Result]) -> set[str]:
    return {name for result in results for name in (result.home, result.away)}


def _schedule(results: Sequence[Result]) -> frozenset[ScheduledMatch]:
    return frozenset(ScheduledMatch(result.played_on, result.home, result.away) for result in results)


if __name__ == "__main__":
    main()
