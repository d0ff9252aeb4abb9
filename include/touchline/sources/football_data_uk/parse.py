"""From a stored body to observations: every data row is parsed or rejected, every bad value is named."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import polars as pl

from touchline.identity.competitions import competitions
from touchline.sources.football_data_uk import calendar
from touchline.sources.football_data_uk.addresses import (
    SeasonFile,
    read_endpoint,
    season_label,
    season_start_year,
)
from touchline.sources.football_data_uk.columns import STATISTICS
from touchline.sources.football_data_uk.quotes import read_quotes
from touchline.sources.football_data_uk.table import Table, read_table
from touchline.sources.source import Observations, Rejection

MOST_GOALS = 30
OUTCOME_LETTERS = {1: "H", 0: "D", -1: "A"}
# A season's matches lie between mid-July and the end of the following August (2019/20 ended on 2 August 2020).
SEASON_START = (7, 1)
SEASON_DAYS = 430


def fixture_key(competition: str, day: date, home_team: str, away_team: str) -> UUID:
    """Identity of a match as this provider names it: MD5 of `competition|date|home|away`."""
    name = f"{competition}|{day.isoformat()}|{home_team}|{away_team}"
    return UUID(bytes=hashlib.md5(name.encode(), usedforsecurity=False).digest())


def parse(endpoint: str, body: bytes) -> Observations:
    """Read a season file or fixtures.csv.

    Raises PayloadRejected when the body is no such file at all.
    """
    table = read_table(body, endpoint)
    reading = _Reading(table, read_endpoint(endpoint))
    reading.check_rows()
    frame = reading.accepted()
    quotes, rejected_prices = read_quotes(table, frame)
    return Observations(
        n_rows=len(table.rows),
        n_parsed=frame.height,
        fixtures=_fixtures(frame),
        scores=_scores(frame, table, reading),
        quotes=quotes,
        rejections=[*reading.rejections, *rejected_prices],
    )


@dataclass
class _Reading:
    """One pass over the rows of a table, collecting what each row says and why some say nothing."""

    table: Table
    season_file: SeasonFile | None
    rejections: list[Rejection] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.position = {name: index for index, name in enumerate(self.table.header)}

    def cell(self, row: list[str], name: str) -> str:
        index = self.position.get(name)
        return "" if index is None else row[index]

    def check_rows(self) -> None:
        seen: set[UUID] = set()
        for index, row in enumerate(self.table.rows):
            problem = self._read(index, row, seen)
            if problem is not None:
                rule, name, reason = problem
                value = None if name is None else self.cell(row, name)
                self.rejections.append(
                    Rejection(index + 1, "row", rule, name, value, reason, ",".join(row).rstrip(","))
                )

    def _read(self, index: int, row: list[str], seen: set[UUID]) -> tuple[str, str | None, str] | None:
        if self.table.is_last_row_cut and index == len(self.table.rows) - 1:
            return "row_cut", None, (
                f"the file ends in the middle of this row ({self.table.lengths[index]} of "
                f"{len(self.table.header)} cells); download it again"
            )  # fmt: skip
        competition = self.cell(row, "Div")
        if competition not in competitions():
            return "unknown_competition", "Div", (
                f"{competition!r} is no competition we know; add it to dbt_project/seeds/competition.csv"
            )  # fmt: skip
        if self.season_file is not None and competition != self.season_file.competition:
            return "wrong_competition", "Div", f"{competition} in the file of {self.season_file.competition}"
        day = read_date(self.cell(row, "Date"))
        if day is None:
            return "date_format", "Date", "not a date as dd/mm/yy or dd/mm/yyyy"
        start_year = season_start_year(day) if self.season_file is None else self.season_file.start_year
        if not 0 <= (day - date(start_year, *SEASON_START)).days < SEASON_DAYS:
            return "date_outside_season", "Date", f"not in season {season_label(start_year)}"
        home, away = _team(self.cell(row, "HomeTeam")), _team(self.cell(row, "AwayTeam"))
        if not home or not away:
            return "team_missing", "HomeTeam" if not home else "AwayTeam", "a match needs two teams"
        if home == away:
            return "team_against_itself", "AwayTeam", "home and away team are the same"
        goals = self._read_goals(row)
        if isinstance(goals, str):
            return (
                "goals_invalid",
                goals,
                f"not a whole number from 0 to {MOST_GOALS}, or only one side is given",
            )
        outcome = self.cell(row, "FTR")
        if goals is not None and outcome and outcome != OUTCOME_LETTERS[_sign(goals[0] - goals[1])]:
            return "result_contradicts_goals", "FTR", f"the goals are {goals[0]}-{goals[1]}"
        key = fixture_key(competition, day, home, away)
        if key in seen:
            return "duplicate_row", "HomeTeam", "the same match stands in an earlier row of this file"
        seen.add(key)
        clock_time = self.cell(row, "Time")
        minutes = read_time(clock_time)
        if clock_time and minutes is None:
            self.rejections.append(
                Rejection(index + 1, "field", "time_format", "Time", clock_time,
                    "not a time as HH:MM; the kick-off time is taken as not known",
                )
            )  # fmt: skip
        self.rows.append(
            {
                "row_number": index + 1, "fixture_key": str(key), "competition": competition,
                "season": season_label(start_year), "home_team": home, "away_team": away, "kickoff_on": day,
                "time": None if minutes is None else timedelta(minutes=minutes),
                "home_goals": None if goals is None else goals[0],
                "away_goals": None if goals is None else goals[1],
                "referee": self.cell(row, "Referee") or None,
            }
        )  # fmt: skip
        return None

    def _read_goals(self, row: list[str]) -> tuple[int, int] | str | None:
        home, away = self.cell(row, "FTHG"), self.cell(row, "FTAG")
        if not home and not away:
            return None
        for name, text in (("FTHG", home), ("FTAG", away)):
            if not (text.isdecimal() and int(text) <= MOST_GOALS):
                return name
        return int(home), int(away)

    def accepted(self) -> pl.DataFrame:
        """One row a parsed row, with kick-off and publication times (UTC)."""
        frame = pl.DataFrame(self.rows, schema=_ROW_SCHEMA)
        day = pl.col("kickoff_on")
        frame = frame.with_columns(kickoff_at=calendar.kickoff_at(day, pl.col("time")))
        return frame.with_columns(
            is_kickoff_time_known=pl.col("time").is_not_null(),
            prices_collected_at=calendar.prices_collected_at(day, pl.col("kickoff_at")),
            result_published_at=calendar.result_published_at(day),
        )


_ROW_SCHEMA: dict[str, Any] = {
    "row_number": pl.Int32, "fixture_key": pl.String, "competition": pl.String, "season": pl.String,
    "home_team": pl.String, "away_team": pl.String, "kickoff_on": pl.Date, "time": pl.Duration("us"),
    "home_goals": pl.Int16, "away_goals": pl.Int16, "referee": pl.String,
}  # fmt: skip


def read_date(text: str) -> date | None:
    """`dd/mm/yy` or `dd/mm/yyyy`; None for anything else."""
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts) or len(parts[2]) not in (2, 4):
        return None
    day, month, year = (int(part) for part in parts)
    if len(parts[2]) == 2:
        year += 1900 if year >= 93 else 2000
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_time(text: str) -> int | None:
    """`HH:MM` as minutes after midnight; None for anything else."""
    hours, separator, minutes = text.partition(":")
    if not separator or not (hours.isdecimal() and minutes[:2].isdecimal()):
        return None
    total = int(hours) * 60 + int(minutes[:2])
    return total if int(hours) < 24 and int(minutes[:2]) < 60 else None


def _team(text: str) -> str:
    # No-break spaces stand inside some names of older files.
    return text.replace("\xa0", " ")


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _fixtures(frame: pl.DataFrame) -> pl.DataFrame:
    played = pl.col("home_goals").is_not_null()
    return frame.select(
        "fixture_key", "competition", "season", "home_team", "away_team", "kickoff_on", "kickoff_at",
        "is_kickoff_time_known",
        status=pl.when(played).then(pl.lit("played")).otherwise(pl.lit("scheduled")),
        row_number="row_number",
        published_at=pl.col("kickoff_at") - calendar.FIXTURE_NOTICE,
    )  # fmt: skip


def _scores(frame: pl.DataFrame, table: Table, reading: _Reading) -> pl.DataFrame:
    played = frame.filter(pl.col("home_goals").is_not_null())
    numbers = [number - 1 for number in played["row_number"]]
    texts = pl.DataFrame(
        {
            ours: [reading.cell(table.rows[number], theirs) for number in numbers]
            for theirs, ours in STATISTICS.items()
            if theirs in reading.position
        },
        schema={ours: pl.String for theirs, ours in STATISTICS.items() if theirs in reading.position},
    )
    counts = texts.select(
        pl.when(pl.col(name).cast(pl.Float64, strict=False) >= 0)
        .then(pl.col(name).cast(pl.Float64, strict=False).cast(pl.Int16, strict=False))
        .alias(name)
        for name in texts.columns
    )
    columns = {ours: theirs for theirs, ours in STATISTICS.items()}
    for name in counts.columns:
        for bad in (
            (counts[name].is_null() & (texts[name] != "")).arg_true() if counts[name].has_nulls() else ()
        ):
            reading.rejections.append(
                Rejection(
                    numbers[bad] + 1,
                    "field",
                    "statistic_invalid",
                    columns[name],
                    texts[name][bad],
                    "not a count",
                )
            )
    return played.select(
        "fixture_key", "home_goals", "away_goals", *counts.get_columns(),
        *(pl.lit(None, dtype=pl.Int16).alias(name) for name in STATISTICS.values() if name not in counts.columns),
        "referee", "row_number", published_at="result_published_at",
    )  # fmt: skip
