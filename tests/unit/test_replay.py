"""A replay before it begins: what is asked for, when the folder tells something new, and what goes wrong in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from builders import match_row, write_season_file
from touchline.clock import virtual_clock
from touchline.errors import ReplayImpossible, SettingsInvalid, SourceUnavailable
from touchline.replay.faults import faulty, read_injections
from touchline.replay.season import ReplayRequest, find_season, replay_settings
from touchline.settings import Settings
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.source import Kind, Reply, Request, Source

# A Saturday. Its prices are collected on Friday at 15:00, its result is published on Sunday at 06:00.
SATURDAY = datetime(2023, 1, 14, tzinfo=UTC)
PRICES_AT = SATURDAY - timedelta(hours=9)
RESULT_AT = SATURDAY + timedelta(hours=30)
FIXTURES = "fixtures.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_season_file(tmp_path, [match_row(Date="15/01/2022")], code="2122")
    write_season_file(
        tmp_path, [match_row(), match_row(Date="17/01/2023", HomeTeam="Leeds", AwayTeam="Derby")]
    )
    return tmp_path


def body(source: Source, endpoint: str, as_of: datetime) -> str:
    reply = source.fetch(Request(source.name, endpoint), as_of, {})
    assert isinstance(reply, Reply)
    return reply.body.decode()


def asked(folder: Path, injected: str, kind: Kind, endpoint: str, as_of: datetime) -> str:
    """What a collection of a kind is told of a file."""
    opening = faulty(FolderSource(folder, ["E0"]), kind, read_injections(injected), seed=1)
    with opening(Settings(), virtual_clock(as_of), ()) as (source,):
        return body(source, endpoint, as_of)


def test_a_season_begins_a_week_before_its_first_match_and_ends_the_day_after_its_last(folder: Path):
    season = find_season(ReplayRequest(folder, 2022), horizon_days=7)
    assert (season.first_on, season.last_on) == (date(2023, 1, 7), date(2023, 1, 18))
    assert set(season.files) == {"2122/E0.csv", "2223/E0.csv"}
    part = find_season(ReplayRequest(folder, 2022, from_on=date(2023, 1, 10), to_on=date(2023, 1, 11)), 7)
    assert part.n_days == 2


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            ReplayRequest(Path("here"), 2023),
            "no files of season 2023/24 (2324/DIV.csv); it has the seasons beginning in: 2021, 2022",
        ),
        (ReplayRequest(Path("here"), 2022, ("E0", "D1")), "has no D1 in season 2022/23; it has E0"),
        (ReplayRequest(Path("here"), 2022, from_on=date(2023, 6, 1)), "no day of season 2022/23 is left to play"),
        (ReplayRequest(Path("nowhere"), 2022), "there is no folder nowhere"),
    ],
)  # fmt: skip
def test_what_is_not_in_the_folder_cannot_be_played(folder: Path, request_: ReplayRequest, words: str):
    if request_.folder == Path("here"):
        request_ = ReplayRequest(folder, request_.season, request_.competitions, request_.from_on)
    with pytest.raises(ReplayImpossible) as refused:
        find_season(request_, horizon_days=7)
    assert words in str(refused.value)


def test_each_way_to_play_a_season_has_a_database_of_its_own(folder: Path, tmp_path: Path):
    settings = Settings(home=tmp_path / "home")

    def database(request: ReplayRequest) -> str:
        return replay_settings(settings, find_season(request, 7)).warehouse_database

    plain = database(ReplayRequest(folder, 2022))
    others = [
        database(ReplayRequest(folder, 2022, train_every=1)),
        database(ReplayRequest(folder, 2022, injections=read_injections("cut"))),
        database(ReplayRequest(folder, 2022, from_on=date(2023, 1, 10))),
        settings.warehouse_database,
    ]
    assert len({plain, *others}) == 5
    assert database(ReplayRequest(folder, 2022, to_on=date(2023, 1, 12))) == plain


def test_a_folder_knows_when_it_will_tell_something_else(folder: Path):
    source = FolderSource(folder, ["E0"])
    changes, at = [], SATURDAY - timedelta(days=2)
    while (change := source.next_change(at)) is not None:
        changes.append(change)
        before, after = (
            [body(source, endpoint, moment) for endpoint in ("mmz4281/2223/E0.csv", FIXTURES)]
            for moment in (change - timedelta(microseconds=1), change)
        )
        assert before != after
        at = change
    # Then of the match on Tuesday: prices on Tuesday at 14:00, an hour before it begins, and the result.
    tuesday = datetime(2023, 1, 17, 14, tzinfo=UTC)
    assert changes == [PRICES_AT, RESULT_AT, tuesday, tuesday + timedelta(hours=16)]


def test_in_an_outage_of_odds_the_prices_of_before_stay(folder: Path):
    injected = "outage:odds:2023-01-13..2023-01-14"
    saturday = SATURDAY + timedelta(hours=10)
    assert ",1.98," in asked(folder, "", "fixtures", FIXTURES, saturday)
    told = asked(folder, injected, "fixtures", FIXTURES, saturday)
    assert "Arsenal" in told
    assert "1.98" not in told
    with pytest.raises(SourceUnavailable, match="does not answer"):
        asked(folder, injected, "odds", FIXTURES, saturday)
    assert asked(folder, injected, "scores", "mmz4281/2223/E0.csv", saturday)
    later = datetime(2023, 1, 15, tzinfo=UTC)
    assert asked(folder, injected, "odds", FIXTURES, later) == asked(folder, "", "odds", FIXTURES, later)


@pytest.mark.parametrize(
    ("kind", "lost"), [("fixtures", "fixtures"), ("fixtures", "odds"), ("scores", "scores")]
)
def test_in_an_outage_of_a_file_whoever_asks_for_it_gets_nothing(folder: Path, kind: str, lost: Kind):
    endpoint = "mmz4281/2223/E0.csv" if lost == "scores" else FIXTURES
    with pytest.raises(SourceUnavailable):
        asked(folder, f"outage:{kind}:2023-01-14", lost, endpoint, SATURDAY)


def test_a_fault_hits_the_same_moments_again(folder: Path):
    moments = [SATURDAY + timedelta(hours=number) for number in range(24)]

    def told(moment: datetime) -> str:
        try:
            return asked(folder, "server_errors:0.4,renamed_fields:0.4", "odds", FIXTURES, moment)
        except SourceUnavailable as error:
            return str(error)

    first = [told(moment) for moment in moments]
    assert [told(moment) for moment in reversed(moments)] == first[::-1]
    assert any("503" in each for each in first)
    assert any("fixtures.csv" not in each and each != first[0] for each in first)


@pytest.mark.parametrize(
    "text",
    [
        "outage:odds",
        "outage:weather:2023-01-01",
        "outage:odds:2023-02-02..2023-01-01",
        "slow",
        "cut:2",
        "rain",
    ],
)
def test_what_cannot_go_wrong_is_refused(text: str):
    with pytest.raises(SettingsInvalid):
        read_injections(text)
