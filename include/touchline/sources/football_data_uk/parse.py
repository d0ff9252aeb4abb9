"""Parse a stored body into observations: every data row is parsed or rejected, and every bad value is named."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import polars as pl

from touchline.identity.competitions import competitions
from touchline.identity.fixtures import fixture_key
from touchline.sources.football_data_uk import calendar
from touchline.sources.football_data_uk.addresses import (
    SeasonFile,
    read_endpoint,
    season_label,
)
from touchline.sources.football_data_uk.columns import (
    LINES,
    REQUIRED,
    STATISTICS,
    UNUSED,
    QuoteColumns,
    quote_columns,
)
from touchline.sources.football_data_uk.new_leagues import REQUIRED as NEW_LEAGUES_REQUIRED
from touchline.sources.football_data_uk.new_leagues import (
    SEASON_END,
    new_league_quotes,
    read_new_league,
    read_season,
)
from touchline.sources.football_data_uk.quotes import read_quotes
from touchline.sources.football_data_uk.table import Table, read_table
from touchline.sources.source import Observations, Rejection

MOST_GOALS = 30
# A spreadsheet that saves a file again may write seconds, or a clock of twelve hours.
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?(?: ?(AM|PM))?", re.ASCII | re.IGNORECASE)
OUTCOME_LETTERS = {1: "H", 0: "D", -1: "A"}
KNOWN = frozenset(
    {*REQUIRED, *NEW_LEAGUES_REQUIRED, *STATISTICS, *UNUSED, "FTHG", "FTAG", "FTR", "Time", "Referee"}
)  # fmt: skip
SEASON_START = (7, 1)


def parse(endpoint: str, body: bytes, used: Collection[str] | None = None) -> Observations:
    """Read a season file, fixtures.csv or a new leagues file; of fixtures.csv only the competitions `used`, if given.

    Raises PayloadRejected when the body is not such a file.
    """
    table = read_table(body, endpoint, required_columns(endpoint))
    reading = _Reading(table, read_endpoint(endpoint), read_new_league(endpoint), used)
    reading.check_rows()
    frame = reading.accepted()
    offered = offered_quotes(endpoint, table.header)
    quotes, rejected_prices = read_quotes(table, offered, frame)
    scores = _scores(frame, table, reading)
    rejected = [
        replace(each, row_key=reading.key_of(table.rows[each.row_number - 1]))
        for each in (*reading.rejections, *rejected_prices)
    ]
    is_list = reading.season_file is None and reading.new_league is None
    return Observations(
        n_rows=len(table.rows),
        n_parsed=frame.height,
        fixtures=_fixtures(frame),
        scores=scores,
        quotes=quotes,
        rejections=[*_unknown_columns(table.header, offered), *rejected],
        is_whole_season=not is_list,
        told_in_full=frozenset(
            (quote.bookmaker, quote.market, quote.is_closing)
            for quote in offered
            # A list of fixtures has the columns of closing prices, but never their values.
            if not (is_list and quote.is_closing)
        ),
    )


def required_columns(endpoint: str) -> Sequence[str]:
    """The columns that every file of this provider has."""
    return REQUIRED if read_new_league(endpoint) is None else NEW_LEAGUES_REQUIRED


def offered_quotes(endpoint: str, header: Sequence[str]) -> list[QuoteColumns]:
    """The quotes that the columns of a file offer."""
    return quote_columns(header) if read_new_league(endpoint) is None else new_league_quotes(header)


def _unknown_columns(header: Sequence[str], offered: Sequence[QuoteColumns]) -> Iterator[Rejection]:
    """The columns that nothing reads, once a file: a misprinted name costs all the values below it."""
    read = {theirs for columns in offered for _, theirs in columns.prices}
    read |= {columns.line_column for columns in offered if columns.line_column} | set(LINES)
    for name in header:
        # A blank or repeated name stands for no column of its own.
        if name not in read and name not in KNOWN and not name.startswith("#"):
            reason = "no column of this name is known; its values are not used"
            yield Rejection(0, "field", "column_unknown", name, None, reason)


@dataclass(frozen=True)
class _Problem:
    """Why a row is unusable."""

    rule: str
    field: str | None
    reason: str


@dataclass
class _Reading:
    """One pass over the rows of a table, collecting the content of each and the reasons for rejections."""

    table: Table
    season_file: SeasonFile | None
    new_league: str | None
    used: Collection[str] | None
    rejections: list[Rejection] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.position = {name: index for index, name in enumerate(self.table.header)}

    def cell(self, row: list[str], name: str) -> str:
        index = self.position.get(name)
        return "" if index is None else row[index]

    def key_of(self, row: list[str]) -> str:
        """What tells a row from the others of its file; of a line that is no row, its text, which is the first cell."""
        return "|".join((row[0], *(self.cell(row, name) for name in ("Date", "HomeTeam", "AwayTeam"))))

    def check_rows(self) -> None:
        seen: set[UUID] = set()
        for index, row in enumerate(self.table.rows):
            problem = self._read(index, row, seen)
            if problem is not None:
                self._reject(index, problem)
        self._keep_one_of_each_meeting()

    def _reject(self, index: int, problem: _Problem) -> None:
        row = self.table.rows[index]
        value = None if problem.field is None else self.cell(row, problem.field)
        text = ",".join(row).rstrip(",")
        self.rejections.append(
            Rejection(index + 1, "row", problem.rule, problem.field, value, problem.reason, text)
        )

    def _keep_one_of_each_meeting(self) -> None:
        """Where a pairing meets once at home a season, keep one row of it.

        A match that was moved may stand under its old day as well, without a result or with the same: then the later
        day is right. Another result is rather that of another match, whose teams are wrong.
        """
        meetings: dict[tuple[object, ...], list[dict[str, Any]]] = {}
        for row in self.rows:
            if competitions()[row["competition"]].meets_once:
                place = tuple(row[name] for name in ("competition", "season", "home_team", "away_team"))
                meetings.setdefault(place, []).append(row)
        gone = set()
        for listed in meetings.values():
            listed.sort(key=lambda row: (row["home_goals"] is not None, row["kickoff_on"]))
            first = next((row for row in listed if row["home_goals"] is not None), listed[-1])
            kept = max(
                (row for row in listed if self._statistics(row) == self._statistics(first)),
                key=lambda row: row["kickoff_on"],
            )
            for row in listed:
                if row is kept:
                    continue
                gone.add(row["row_number"])
                reason = (
                    f"the match stands on {kept['kickoff_on']} as well; in {row['competition']} a team receives the "
                    "same opponent once a season"
                )
                self._reject(row["row_number"] - 1, _Problem("duplicate_row", "Date", reason))
        if gone:
            self.rows = [row for row in self.rows if row["row_number"] not in gone]

    def _read(self, index: int, row: list[str], seen: set[UUID]) -> _Problem | None:
        if self.table.is_last_row_cut and index == len(self.table.rows) - 1:
            return _Problem(
                "row_cut",
                None,
                f"the file ends in the middle of this row ({self.table.lengths[index]} of "
                f"{len(self.table.header)} cells); download it again",
            )
        if index in self.table.unreadable:
            return _Problem("row_unreadable", None, self.table.unreadable[index])
        competition = self._read_competition(row)
        if isinstance(competition, _Problem):
            return competition
        day = read_date(self.cell(row, "Date"))
        if day is None:
            return _Problem("date_format", "Date", "not a date as dd/mm/yy or dd/mm/yyyy")
        season = self._read_season(row, day)
        if isinstance(season, _Problem):
            return season
        home, away = _team(self.cell(row, "HomeTeam")), _team(self.cell(row, "AwayTeam"))
        if not home or not away:
            return _Problem("team_missing", "HomeTeam" if not home else "AwayTeam", "a match needs two teams")
        if home == away:
            return _Problem("team_against_itself", "AwayTeam", "home and away team are the same")
        goals = self._read_goals(row)
        if isinstance(goals, str):
            return _Problem(
                "goals_invalid",
                goals,
                f"not a whole number from 0 to {MOST_GOALS}, or only one side is given",
            )
        outcome = self.cell(row, "FTR")
        if goals is not None and outcome and outcome != OUTCOME_LETTERS[_sign(goals[0] - goals[1])]:
            return _Problem("result_contradicts_goals", "FTR", f"the goals are {goals[0]}-{goals[1]}")
        key = fixture_key(competition, day, home, away)
        if key in seen:
            return _Problem(
                "duplicate_row", "HomeTeam", "the same match appears in an earlier row of this file"
            )
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
                "season": season, "home_team": home, "away_team": away, "kickoff_on": day,
                "time": None if minutes is None else timedelta(minutes=minutes),
                "home_goals": None if goals is None else goals[0],
                "away_goals": None if goals is None else goals[1],
                "referee": self.cell(row, "Referee") or None,
            }
        )  # fmt: skip
        return None

    def _statistics(self, row: Mapping[str, Any]) -> list[str]:
        cells = self.table.rows[row["row_number"] - 1]
        return [self.cell(cells, name) for name in ("FTHG", "FTAG", *STATISTICS)]

    def _read_competition(self, row: list[str]) -> str | _Problem:
        if self.new_league is not None:
            country = self.cell(row, "Country")
            ours = competitions()[self.new_league].country
            if country != ours and any(country == other.country for other in competitions().values()):
                return _Problem("wrong_competition", "Country", f"{country} in the file of {ours}")
            return self.new_league
        competition = self.cell(row, "Div")
        if competition not in competitions():
            return _Problem(
                "unknown_competition",
                "Div",
                f"{competition!r} is not a known competition; add it to dbt_project/seeds/competition.csv",
            )
        if self.season_file is not None and competition != self.season_file.competition:
            reason = f"{competition} in the file of {self.season_file.competition}"
            return _Problem("wrong_competition", "Div", reason)
        if self.season_file is None and self.used is not None and competition not in self.used:
            reason = f"config/sources.yaml names no {competition} for this source"
            return _Problem("competition_not_used", "Div", reason)
        return competition

    def _read_season(self, row: list[str], day: date) -> str | _Problem | None:
        """The label of the season that the file or the row says; None where neither does."""
        if self.season_file is not None:
            start_year = self.season_file.start_year
            label = season_label(start_year)
            first_day, last_day = date(start_year, *SEASON_START), date(start_year + 1, *SEASON_END)
        elif self.new_league is not None or self.cell(row, "Season"):
            found = read_season(self.cell(row, "Season"))
            if found is None:
                return _Problem("season_format", "Season", "not a season as 2012 or 2012/2013")
            label, first_day, last_day = found
        else:
            return None
        if not first_day <= day <= last_day:
            return _Problem("date_outside_season", "Date", f"not in season {label}")
        return label

    def _read_goals(self, row: list[str]) -> tuple[int, int] | str | None:
        home, away = self.cell(row, "FTHG"), self.cell(row, "FTAG")
        if not home and not away:
            return None
        for name, text in (("FTHG", home), ("FTAG", away)):
            if not (text.isdecimal() and len(text) <= 4 and int(text) <= MOST_GOALS):
                return name
        return int(home), int(away)

    def accepted(self) -> pl.DataFrame:
        """The parsed rows, with kick-off and publication times (UTC)."""
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
    if (
        len(parts) != 3
        or not all(part.isdecimal() and len(part) <= 4 for part in parts)
        or len(parts[2]) not in (2, 4)
    ):
        return None
    day, month, year = (int(part) for part in parts)
    if len(parts[2]) == 2:
        year += 1900 if year >= 93 else 2000
    try:
        return date(year, month, day)
    except ValueError:
        return None


def read_time(text: str) -> int | None:
    """`HH:MM`, `HH:MM:00` or `H:MM PM` as minutes after midnight; None for anything else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, half = int(match[1]), int(match[2]), (match[3] or "").upper()
    if half:
        # 12:30 AM is half past midnight. There is no 13 PM, and no 0 AM.
        hours = hours % 12 + (12 if half == "PM" else 0) if 1 <= hours <= 12 else 24
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None


def _team(text: str) -> str:
    # Some names in older files contain no-break spaces.
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
        # "12.0" is a count, "2.5" is none.
        pl.when((number := pl.col(name).cast(pl.Float64, strict=False)) >= 0, number == number.floor())
        .then(number.cast(pl.Int16, strict=False))
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
