"""Three dated copies of a season file and of fixtures.csv, replayed day by day: what the warehouse makes of each kind.

A kind is a match of its own: its row in each copy, and what is known of it in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import match_row, season_csv
from databases import copy_of
from predictions import insert_prediction, unchecked
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.landing.collect import CollectReport, collect
from touchline.ledger.settle import settle_predictions
from touchline.settings import Settings
from touchline.warehouse.build import build_layer

pytestmark = pytest.mark.slow

TAKEN = tuple(datetime(2023, 3, day, 9, 7, 39, tzinfo=UTC) for day in (27, 28, 29))
PLAYED = {"Date": "25/03/2023", "Time": "15:00", "FTHG": "2", "FTAG": "1"}
AHEAD = {"Date": "01/04/2023", "Time": "15:00", "FTHG": "", "FTAG": "", "FTR": ""}
HANDICAP = {"AvgAHH": "1.95", "AvgAHA": "1.93"}
# The name of a column that nobody knows, in every copy of the season file.
MISPRINTED = {"B36CA": "4.20"}
UNCLOSED = '"Wiley'

Row = Mapping[str, str]
MATCH = "select kickoff_at, is_played from core.match where home_team = %(home)s"
STATUS = "select kickoff_at, status from core.match where home_team = %(home)s order by kickoff_at"
LINES = (
    "select bookmaker, round(line::numeric, 2)::float8 from core.match_odds as odds inner join core.match "
    "using (match_id) where home_team = %(home)s and market = 'asian_handicap' order by bookmaker, line"
)
GOALS = (
    "select version.home_goals from core.result_version as version inner join core.match using (match_id) "
    "where match.home_team = %(home)s order by version.valid_from"
)
PRICE = (
    "select round(price_home::numeric, 2)::float8 from core.match_odds as odds inner join core.match using (match_id) "
    "where home_team = %(home)s and bookmaker = '{}' and odds.stage = '{}'"
)
REVISIONS = (
    "select outcome.revision, outcome.home_goals from ledger.prediction_outcome as "
    "outcome inner join ledger.prediction using (prediction_id) where home_team = %(home)s order by revision"
)


@dataclass(frozen=True)
class Kind:
    """One match: its row in each copy of the season file and of fixtures.csv, where it has one, and a question."""

    name: str
    home: str
    away: str
    query: str
    expected: Sequence[tuple[Any, ...]]
    season_file: Sequence[Row | None] = (None, None, None)
    fixtures: Sequence[Row | None] = (None, None, None)


def at(day: int, month: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2023, month, day, hour, minute, tzinfo=UTC)


def same(**row: str) -> tuple[Row, Row, Row]:
    return (row, row, row)


KINDS = (
    Kind(
        "corrected result", "Arsenal", "Chelsea", GOALS, [(2,), (3,)],
        season_file=[PLAYED, PLAYED | {"FTHG": "3"}, PLAYED | {"FTHG": "3"}],
    ),
    Kind(
        "corrected closing price", "Leeds", "Fulham", PRICE.format("consensus", "closing"), [(1.84,)],
        season_file=[PLAYED, PLAYED, PLAYED | {"AvgCH": "1.84", "AvgCD": "3.52", "AvgCA": "4.03"}],
    ),
    Kind(
        "pre-match price first read after kick-off, then corrected", "Everton", "Burnley",
        PRICE.format("B365", "prematch"), [(2.2,)],
        season_file=[PLAYED, PLAYED | {"B365H": "2.20"}, PLAYED | {"B365H": "2.20"}],
    ),
    Kind(
        "fixture that is played", "Wolves", "Brentford", MATCH, [(at(26, 3, 14), True)],
        season_file=[None, *[PLAYED | {"Date": "26/03/2023"}] * 2],
        fixtures=[AHEAD | {"Date": "26/03/2023"}, None, None],
    ),
    Kind(
        "price that moves before kick-off", "Watford", "Reading", PRICE.format("B365", "prematch"), [(2.05,)],
        fixtures=[AHEAD, AHEAD | {"B365H": "2.10"}, AHEAD | {"B365H": "2.05"}],
    ),
    Kind(
        "day that the source corrects", "Swansea", "Millwall", STATUS, [(at(24, 3, 15), "played")],
        season_file=[PLAYED, *[PLAYED | {"Date": "24/03/2023"}] * 2],
    ),
    # Its second day, which the copy in between lists, too, and the last one alone.
    Kind(
        "match listed under both days", "Hull", "Cardiff", STATUS, [(at(24, 3, 15), "played")],
        season_file=[PLAYED, PLAYED, None],
    ),
    Kind(
        "match listed under both days, again", "Hull", "Cardiff", STATUS, [(at(24, 3, 15), "played")],
        season_file=[None, *[PLAYED | {"Date": "24/03/2023"}] * 2],
    ),
    Kind(
        "handicap line that is withdrawn", "Preston", "Coventry", LINES,
        [("consensus", 0.75), ("market_average", 0.75)],
        fixtures=[AHEAD | HANDICAP | {"AHh": "0.25"}, *[AHEAD | HANDICAP | {"AHh": "0.75"}] * 2],
    ),
    Kind(
        "fixture that moves", "Bristol City", "Blackburn", STATUS,
        [(at(1, 4, 14), "superseded"), (at(2, 4, 14), "scheduled")],
        fixtures=[AHEAD, *[AHEAD | {"Date": "02/04/2023"}] * 2],
    ),
    Kind(
        "hour that the clocks skip", "Derby", "Stoke", MATCH, [(at(26, 3, 1, 30), True)],
        season_file=same(**PLAYED | {"Date": "26/03/2023", "Time": "01:30"}),
    ),
    Kind(
        "clock of twelve hours", "Norwich", "Southampton", MATCH, [(at(25, 3, 19, 45), True)],
        season_file=[PLAYED | {"Time": "19:45"}, *[PLAYED | {"Time": "7:45 PM"}] * 2],
    ),
    Kind(
        "quote that is not closed", "Luton", "Sunderland", MATCH, [(at(25, 3, 15), True)],
        season_file=[PLAYED, PLAYED | {"Referee": UNCLOSED}, PLAYED],
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Replay:
    """A database after the replay, and what each collection reported."""

    settings: Settings
    reports: Sequence[CollectReport]


def write_copies(folder: Path) -> None:
    folder.mkdir()
    for number, taken_at in enumerate(TAKEN):
        for name in ("E0", "fixtures"):
            found = [(kind, (kind.season_file if name == "E0" else kind.fixtures)[number]) for kind in KINDS]
            extra = {"Referee": "", **MISPRINTED} if name == "E0" else {}
            lines = [
                match_row(HomeTeam=kind.home, AwayTeam=kind.away, **extra | dict(row))
                for kind, row in found
                if row is not None
            ]
            # The writer quotes what has a quote in it; a file in which one is missing was not written so.
            body = season_csv(lines).replace(b'"""Wiley"', b'"Wiley')
            (folder / f"{name}__{taken_at:%Y%m%dT%H%M%SZ}.csv").write_bytes(body)


@pytest.fixture(scope="module")
def replay(server: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Every copy collected as of its instant; built and settled after the first and the last."""
    folder = tmp_path_factory.mktemp("copies") / "kept"
    write_copies(folder)
    with copy_of(server) as empty:
        settings = empty.model_copy(update={"source": str(folder)})
        reports = []
        for taken_at in TAKEN:
            reports.append(collect(settings, virtual_clock(taken_at), f"collect-{taken_at}"))
            if taken_at == TAKEN[1]:
                continue
            build_layer(settings, "core", taken_at, "build")
            if taken_at == TAKEN[0]:
                predict_what_was_played(settings)
            settle_predictions(settings, virtual_clock(taken_at), "settle")
        yield Replay(settings, reports)


def predict_what_was_played(settings: Settings) -> None:
    with unchecked(settings) as connection:
        query = "select match_id::text, home_team, away_team, kickoff_at from core.match where is_played"
        for match in rows(connection, query):
            made = match["kickoff_at"] - timedelta(hours=1)
            insert_prediction(connection, **match, predicted_at=made, features_as_of=made)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_ends_as_it_should(replay: Replay, kind: Kind):
    with connect(replay.settings, "transform") as connection:
        found = connection.execute(kind.query, {"home": kind.home}).fetchall()
    assert found == list(kind.expected)


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        ("Everton", [(1, 2)]),
        ("Arsenal", [(1, 2), (2, 3)]),
        ("Leeds", [(1, 2), (2, 2)]),
    ],
)
def test_what_an_outcome_rests_on_makes_a_revision_when_it_changes(
    replay: Replay, home: str, expected: list[tuple[int, int]]
):
    with connect(replay.settings, "model") as connection:
        found = connection.execute(REVISIONS, {"home": home}).fetchall()
    assert found == expected


def test_every_row_of_every_copy_is_parsed_or_rejected_and_no_row_takes_another_with_it(replay: Replay):
    for number, report in enumerate(replay.reports):
        given = [kind.season_file[number] for kind in KINDS] + [kind.fixtures[number] for kind in KINDS]
        given_rows = [row for row in given if row is not None]
        unclosed = sum(row.get("Referee") == UNCLOSED for row in given_rows)
        pairings = [(kind.home, kind.away) for kind in KINDS if kind.season_file[number] is not None]
        refused = unclosed + len(pairings) - len(set(pairings))
        assert (report.rows, report.rejected) == (len(given_rows), refused)
        assert report.parsed == len(given_rows) - refused
        assert report.problems == ()


def test_a_misprinted_column_is_told_once_a_file(replay: Replay):
    with connect(replay.settings, "ingest") as connection:
        found = connection.execute(
            "select payload_id, count(*) from landing.rejected_row where rule = 'column_unknown' and field = 'B36CA' "
            "group by payload_id"
        ).fetchall()
    assert [n for _, n in found] == [1] * len(TAKEN)
