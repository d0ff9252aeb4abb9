"""Matches of the simulated world one by one, with what every provider agrees on."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl

from touchline.identity.competitions import Competition, competitions
from touchline.sandbox.ticks import TickTable
from touchline.sandbox.world import FIRST_SEASON, SandboxWorld

SECOND_HALF_SHOWS_AFTER = timedelta(minutes=47)


@dataclass(frozen=True, slots=True)
class Match:
    """One match of a competition and season; `number` counts them in order of kick-off from 0."""

    competition: str
    start_year: int
    number: int
    matchday: int
    kickoff_at: datetime
    home: str
    away: str
    home_goals: int
    away_goals: int
    home_goals_half_time: int
    away_goals_half_time: int
    referee: str

    @property
    def name(self) -> str:
        """A name that is unique in the world."""
        return f"{self.competition}-{self.start_year}-{self.number}"

    @property
    def serial(self) -> int:
        """A number that is unique in the world."""
        place = list(simulated_competitions()).index(self.competition)
        return self.start_year * 10_000 + place * 1_000 + self.number


@dataclass(frozen=True)
class Season:
    """A competition's season: its matches in order of `number`, and their prices in the same order."""

    competition: Competition
    start_year: int
    matches: tuple[Match, ...]
    ticks: TickTable


@cache
def simulated_competitions() -> dict[str, Competition]:
    """The competitions of the simulated world by code."""
    return {code: item for code, item in competitions().items() if item.is_simulated}


def announced_at(start_year: int) -> datetime:
    """When the fixtures of a season become public (UTC)."""
    return datetime(start_year, 6, 20, 0, 20, 57, tzinfo=UTC)


class Almanac:
    """Everything that happens in a world, kept by season once it has been asked for. Safe for threads."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world
        self._seasons: dict[tuple[str, int], Season] = {}
        self._lock = threading.RLock()

    def frame(self, start_year: int) -> pl.DataFrame | None:
        """The world's season; None before the first one."""
        with self._lock:
            return self._world.season(start_year)

    def season(self, competition: str, start_year: int, now: datetime) -> Season | None:
        """A season; None when the world has none or its fixtures are not announced at `now` (UTC)."""
        if start_year < FIRST_SEASON or now < announced_at(start_year):
            return None
        with self._lock:
            key = (competition, start_year)
            if key not in self._seasons:
                frame = self._world.season(start_year)
                assert frame is not None, "the world has every season from the first on"
                self._seasons[key] = self._read(frame, competition, start_year)
            return self._seasons[key]

    def _read(self, world: pl.DataFrame, code: str, start_year: int) -> Season:
        frame = world.filter(pl.col("Div") == code)
        played: Counter[str] = Counter()
        matches = []
        for number, row in enumerate(frame.iter_rows(named=True)):
            # Nobody plays twice in a round, so a team's n-th match is the round's number.
            played[row["HomeTeam"]] += 1
            played[row["AwayTeam"]] += 1
            matches.append(
                Match(
                    code, start_year, number, played[row["HomeTeam"]], row["kickoff_at"], row["HomeTeam"],
                    row["AwayTeam"], row["FTHG"], row["FTAG"], row["HTHG"], row["HTAG"], row["Referee"],
                )
            )  # fmt: skip
        ticks = TickTable(frame, self._world.seed, code, start_year)
        return Season(simulated_competitions()[code], start_year, tuple(matches), ticks)
