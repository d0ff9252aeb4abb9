"""A folder of downloaded files (`SSSS/DIV.csv`, `new/CCC.csv`), served as the site would have served it at `as_of`.

A season file then holds only the matches whose result was public: by the publisher's timetable, or because the file was
written by then. Later matches of a season that has begun are served as fixtures with their season, which the list of
the site does not say, and the pre-match prices collected by then, and beside them what only the folder's own
`fixtures.csv` lists. So not even the stored payload knows the future.

A file of which there are dated copies (`E0__20260129T090739Z.csv`) is served as it was: the newest copy not later than
`as_of`, byte for byte.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from touchline.errors import PayloadRejected, SourceUnavailable
from touchline.sources.football_data_uk import calendar
from touchline.sources.football_data_uk.addresses import (
    FIRST_MONTH,
    FIXTURES,
    UK,
    read_endpoint,
    season_start_year,
    season_text,
    uk_day,
)
from touchline.sources.football_data_uk.dated_copies import find_copies, newest_copy
from touchline.sources.football_data_uk.new_leagues import endpoint_of, read_new_league, read_season
from touchline.sources.football_data_uk.parse import (
    offered_quotes,
    parse,
    read_date,
    read_time,
    required_columns,
)
from touchline.sources.football_data_uk.table import Table, read_table
from touchline.sources.source import Kind, NoReply, Observations, Reply, Request

IDENTITY_COLUMNS = ["Div", "Season", "Date", "Time", "HomeTeam", "AwayTeam"]


class FolderSource:
    """Season files of a folder; `ignored` names the CSV files in it that are neither of its files nor dated copies.

    Upcoming matches are read of these competitions alone.
    """

    name = "football_data_uk"

    def __init__(self, folder: Path, competitions: Collection[str]) -> None:
        if not folder.is_dir():
            raise SourceUnavailable(
                f"the folder {folder} does not exist; give one that holds season files as SSSS/DIV.csv, "
                "for example 2223/E0.csv"
            )
        self._folder = folder
        self._competitions = competitions
        self._read_before: dict[tuple[str, Path], tuple[datetime, Table, pl.DataFrame]] = {}
        paths = _csv_files(folder)
        self._copies = find_copies(paths, _read)
        copied = {path for copies in self._copies.values() for _, path in copies}
        found = {path: _endpoint(path) for path in paths if path not in copied}
        self._files = {endpoint: path for path, endpoint in found.items() if endpoint is not None}
        self.ignored: Sequence[str] = [
            str(path.relative_to(folder))
            for path, endpoint in found.items()
            if endpoint is None and path.name != FIXTURES
        ]
        if not self._files and not self._copies and not (folder / FIXTURES).exists():
            raise SourceUnavailable(
                f"the folder {folder} holds no season file; expected SSSS/DIV.csv, for example 2223/E0.csv, or dated "
                "copies, for example E0__20260129T090739Z.csv"
            )

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """Every season file of a season that has begun by `as_of`, and the list of fixtures."""
        wanted = []
        if "scores" in kinds:
            wanted += [
                endpoint
                for endpoint in self._endpoints
                if _has_begun(endpoint, as_of) and (endpoint in self._files or self._copy(endpoint, as_of))
            ]
        if "fixtures" in kinds or "odds" in kinds:
            wanted.append(FIXTURES)
        return [Request(self.name, endpoint) for endpoint in wanted]

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """The bytes the site would have given at `as_of`; raises SourceUnavailable when a file cannot be read."""
        del validators
        copy = self._copy(request.endpoint, as_of)
        if copy is not None:
            return Reply(_read(copy), content_type="text/csv")
        if request.endpoint == FIXTURES:
            return Reply(self._upcoming(as_of), content_type="text/csv")
        if request.endpoint not in self._files:
            return NoReply("not_offered")
        path = self._files[request.endpoint]
        if _is_over(request.endpoint, as_of):
            return Reply(_read(path), content_type="text/csv")
        try:
            table, times = self._table(request.endpoint, path)
        except PayloadRejected:
            # Stored as it is; the parser will report what is wrong with it.
            return Reply(_read(path), content_type="text/csv")
        published = times["published_at"].fill_null(as_of) <= as_of
        if published.all():
            return Reply(_read(path), content_type="text/csv")
        kept = [
            # A line that is no row stays as it is.
            row[0] if index in table.unreadable else row
            for index, (row, is_out) in enumerate(zip(table.rows, published, strict=True))
            if is_out
        ]
        return Reply(_write(table.header, kept), content_type="text/csv")

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """The files of the seasons that the days touch, oldest first. They hold both results and prices."""
        if not kinds:
            return []
        years = range(season_start_year(start), season_start_year(end) + 1)
        files = [(read_endpoint(endpoint), endpoint) for endpoint in self._endpoints]
        # A "new leagues" file holds every season.
        touched = [
            (0 if file is None else file.start_year, endpoint)
            for file, endpoint in files
            if file is None or file.start_year in years
        ]
        return [Request(self.name, endpoint) for _, endpoint in sorted(touched)]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Nothing, because files have no pages."""
        del request, body
        return []

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read a body of this source."""
        return parse(request.endpoint, body, self._competitions)

    @property
    def _endpoints(self) -> list[str]:
        """The files of results that the folder holds at any time."""
        return sorted({*self._files, *self._copies} - {FIXTURES})

    def _copy(self, endpoint: str, as_of: datetime) -> Path | None:
        return newest_copy(self._copies.get(endpoint, ()), as_of)

    def next_change(self, after: datetime) -> datetime | None:
        """The first instant later than `after` (UTC) at which something is told otherwise; None when there is none."""
        changes = [taken for copies in self._copies.values() for taken, _ in copies]
        for endpoint, path in [*self._files.items(), (FIXTURES, self._folder / FIXTURES)]:
            file = read_endpoint(endpoint)
            if file is not None and not _has_begun(endpoint, after):
                changes.append(datetime(file.start_year, FIRST_MONTH, 1, tzinfo=UK).astimezone(UTC))
            elif path.exists() and not _is_over(endpoint, after):
                with suppress(PayloadRejected):
                    _, times = self._table(endpoint, path)
                    for known in times:
                        changes += known.filter(known > after).sort().head(1).to_list()
        return min((change for change in changes if change > after), default=None)

    def _table(self, endpoint: str, path: Path) -> tuple[Table, pl.DataFrame]:
        """A file and the times of its rows (see `_times`), read once for as long as nobody writes it."""
        written_at = _written_at(path)
        kept = self._read_before.get((endpoint, path))
        if kept is None or kept[0] != written_at:
            table = read_table(_read(path), endpoint, required_columns(endpoint))
            kept = written_at, table, _times(table, written_at)
            self._read_before[endpoint, path] = kept
        return kept[1], kept[2]

    def _upcoming(self, as_of: datetime) -> bytes:
        files = [
            (endpoint, path)
            for endpoint, path in self._files.items()
            if _has_begun(endpoint, as_of)
            and not _is_over(endpoint, as_of)
            and not self._copy(endpoint, as_of)
        ]
        own = self._folder / FIXTURES
        if own.exists():
            files.append((FIXTURES, own))
        header, rows = list(IDENTITY_COLUMNS), []
        in_season_files: set[tuple[object, ...]] = set()
        for endpoint, path in files:
            try:
                table, times = self._table(endpoint, path)
            except PayloadRejected:
                continue
            upcoming = _upcoming_rows(table, times, endpoint, as_of)
            if endpoint == FIXTURES:
                upcoming = [row for row in upcoming if _match(row) not in in_season_files]
            else:
                in_season_files |= _matches(table, endpoint)
            rows += upcoming
            header += [name for row in upcoming[:1] for name in row if name not in header]
        # The bytes must not depend on the order of the files.
        cells = sorted([row.get(name, "") for name in header] for row in rows)
        return _write(header, cells)


def _match(row: Mapping[str, str]) -> tuple[object, ...]:
    """Competition, day and teams, however the file writes the day."""
    return row["Div"], read_date(row["Date"]), row["HomeTeam"], row["AwayTeam"]


def _matches(table: Table, endpoint: str) -> set[tuple[object, ...]]:
    places = [(name, index) for index, name in enumerate(table.header) if name in IDENTITY_COLUMNS]
    given = {"Div": read_new_league(endpoint) or ""}
    return {_match(given | {name: row[index] for name, index in places}) for row in table.rows}


def _upcoming_rows(table: Table, times: pl.DataFrame, endpoint: str, as_of: datetime) -> list[dict[str, str]]:
    """Rows without a published result at `as_of`, stripped of everything not yet known."""
    early = [quote for quote in offered_quotes(endpoint, table.header) if not quote.is_closing]
    prices = {name for quote in early for _, name in quote.prices}
    prices |= {quote.line_column for quote in early if quote.line_column}
    new_league, file = read_new_league(endpoint), read_endpoint(endpoint)
    said = {} if file is None else {"Season": season_text(file.start_year)}
    if new_league is not None:
        said["Div"] = new_league
    known_columns = [name for name in table.header if name in prices or name in IDENTITY_COLUMNS]
    position = {name: index for index, name in enumerate(table.header)}
    upcoming = []
    for row, published, collected in zip(
        table.rows, times["published_at"], times["prices_collected_at"], strict=True
    ):
        if published is None or published <= as_of:
            continue
        if "Season" in position and not _season_has_begun(row[position["Season"]], as_of):
            continue
        has_prices = collected is not None and collected <= as_of
        known = {
            name: row[position[name]] if name in IDENTITY_COLUMNS or has_prices else ""
            for name in known_columns
        }
        upcoming.append({**known, **said})
    return upcoming


def _times(table: Table, written_at: datetime) -> pl.DataFrame:
    """When each row's result and prices became public (UTC); null where the date cannot be read.

    A result was public, at the latest, when its file was written. A file that seems to be older than the kick-off has
    lost that time.
    """
    position = {name: index for index, name in enumerate(table.header)}
    days = [read_date(row[position["Date"]].strip()) for row in table.rows]
    minutes = [read_time(row[position["Time"]].strip()) if "Time" in position else None for row in table.rows]
    is_played = [bool(row[position["FTHG"]]) if "FTHG" in position else False for row in table.rows]
    frame = pl.DataFrame(
        {"day": days, "minutes": minutes, "is_played": is_played},
        schema={"day": pl.Date, "minutes": pl.Int64, "is_played": pl.Boolean},
    )
    kickoff = calendar.kickoff_at(pl.col("day"), pl.duration(minutes=pl.col("minutes")))
    published = calendar.result_published_at(pl.col("day"))
    written = pl.lit(written_at, dtype=pl.Datetime("us", "UTC"))
    return frame.select(
        published_at=pl.when(pl.col("is_played") & (kickoff < written))
        .then(pl.min_horizontal(published, written))
        .otherwise(published),
        prices_collected_at=calendar.prices_collected_at(pl.col("day"), kickoff),
    )


def _endpoint(path: Path) -> str | None:
    """The site's path of a file in the folder; None when the site has no such file."""
    if path.parent.name == "new":
        competition = read_new_league(f"new/{path.name}")
        return None if competition is None else endpoint_of(competition)
    file = read_endpoint(f"mmz4281/{path.parent.name}/{path.name}")
    return None if file is None else file.endpoint


def _has_begun(endpoint: str, as_of: datetime) -> bool:
    file = read_endpoint(endpoint)
    return file is None or file.start_year <= season_start_year(uk_day(as_of))


def _season_has_begun(text: str, as_of: datetime) -> bool:
    """Whether a season, as a row writes it, has begun; True where it cannot be read, which the parser reports."""
    found = read_season(text)
    return found is None or found[1] <= uk_day(as_of)


def _is_over(endpoint: str, as_of: datetime) -> bool:
    """True when every result of the season was public; never for a file of all seasons."""
    file = read_endpoint(endpoint)
    return file is not None and file.start_year < season_start_year(uk_day(as_of)) - 1


def _csv_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.csv"), *folder.glob("*/*.csv")])


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}; check its permissions") from error


def _write(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A file of these rows; a text among them is a line as it stands."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    # Names such as #12 stand for blank or repeated header cells.
    writer.writerow(["" if name.startswith("#") else name for name in header])
    for row in rows:
        if isinstance(row, str):
            text.write(f"{row}\r\n")
        else:
            writer.writerow(row)
    return text.getvalue().encode()
