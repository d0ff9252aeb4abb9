"""A folder of dated copies is served as the site was on each day: byte for byte, and never a copy of later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from builders import match_row, season_csv, write_season_file
from touchline.errors import SourceUnavailable
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.source import NoReply, Reply, Request

MONDAY = datetime(2023, 1, 16, 9, 7, 39, tzinfo=UTC)
E0 = "mmz4281/2223/E0.csv"
SECOND = timedelta(seconds=1)


def copy(folder: Path, name: str, taken_at: datetime, *rows: Mapping[str, str]) -> bytes:
    folder.mkdir(exist_ok=True)
    body = season_csv(rows or [match_row()])
    (folder / f"{name}__{taken_at:%Y%m%dT%H%M%SZ}.csv").write_bytes(body)
    return body


def served(source: FolderSource, endpoint: str, as_of: datetime) -> bytes | str:
    reply = source.fetch(Request(source.name, endpoint), as_of, {})
    return reply.body if isinstance(reply, Reply) else reply.reason


def asked(source: FolderSource, as_of: datetime) -> list[str]:
    return [request.endpoint for request in source.requests(["fixtures", "odds", "scores"], as_of)]


def test_the_newest_copy_not_later_than_as_of_is_served_as_it_is(tmp_path: Path):
    first = copy(tmp_path, "E0", MONDAY, match_row(FTHG="1"))
    second = copy(tmp_path, "E0", MONDAY + timedelta(days=1), match_row(FTHG="2", Date="16/01/2023"))
    source = FolderSource(tmp_path, ["E0"])
    moments = (
        MONDAY,
        MONDAY + timedelta(days=1) - SECOND,
        MONDAY + timedelta(days=1),
        MONDAY + timedelta(days=99),
    )
    assert [served(source, E0, moment) for moment in moments] == [first, first, second, second]
    assert source.ignored == []


def test_before_the_first_copy_nothing_is_offered(tmp_path: Path):
    copy(tmp_path, "E0", MONDAY)
    source = FolderSource(tmp_path, ["E0"])
    assert asked(source, MONDAY - SECOND) == ["fixtures.csv"]
    assert served(source, E0, MONDAY - SECOND) == NoReply("not_offered").reason
    assert asked(source, MONDAY) == [E0, "fixtures.csv"]


def test_copies_of_fixtures_and_of_new_leagues_are_copies_too(tmp_path: Path):
    fixtures = copy(tmp_path, "fixtures", MONDAY, match_row(Date="21/01/2023", FTHG="", FTAG="", FTR=""))
    argentina = copy(tmp_path, "ARG", MONDAY)
    source = FolderSource(tmp_path, ["E0"])
    assert asked(source, MONDAY) == ["new/ARG.csv", "fixtures.csv"]
    assert served(source, "fixtures.csv", MONDAY) == fixtures
    assert served(source, "new/ARG.csv", MONDAY) == argentina


def test_a_copy_taken_in_summer_is_of_the_season_of_its_days(tmp_path: Path):
    summer = datetime(2023, 7, 20, tzinfo=UTC)
    # One misprinted day does not move a file to another season.
    copy(
        tmp_path,
        "E0",
        summer,
        match_row(Date="14/08/2023"),
        *[match_row(Date=f"1{n}/05/2023") for n in range(3)],
    )
    assert asked(FolderSource(tmp_path, ["E0"]), summer) == [E0, "fixtures.csv"]


def test_copies_stand_beside_files_as_downloaded_and_before_them_those_are_read(tmp_path: Path):
    past = write_season_file(tmp_path, [match_row(Date="14/05/2022")], "2122").read_bytes()
    played, ahead = match_row(), match_row(HomeTeam="Leeds", Date="21/01/2023")
    write_season_file(tmp_path, [played, ahead])
    newest = copy(tmp_path, "E0", MONDAY, played)
    source = FolderSource(tmp_path, ["E0"])
    assert asked(source, MONDAY) == ["mmz4281/2122/E0.csv", E0, "fixtures.csv"]
    assert served(source, "mmz4281/2122/E0.csv", MONDAY) == past
    assert served(source, E0, MONDAY - SECOND) == season_csv([played])
    assert b"Leeds" in served(source, "fixtures.csv", MONDAY - SECOND)  # type: ignore[operator]
    assert served(source, E0, MONDAY) == newest
    assert b"Leeds" not in served(source, "fixtures.csv", MONDAY)  # type: ignore[operator]


def test_a_backfill_asks_for_copies_by_season(tmp_path: Path):
    copy(tmp_path, "E0", MONDAY)
    copy(tmp_path, "fixtures", MONDAY)
    source = FolderSource(tmp_path, ["E0"])
    found = source.backfill(["scores"], date(2022, 12, 1), date(2023, 1, 31))
    assert [request.endpoint for request in found] == [E0]
    assert source.backfill(["scores"], date(2021, 12, 1), date(2022, 1, 31)) == []


@pytest.mark.parametrize(
    "name", ["E0__20231301T090739Z.csv", "E0__latest.csv", "E0__20230116.csv", "E0 (1).csv"]
)
def test_another_name_is_no_copy_and_is_reported(tmp_path: Path, name: str):
    copy(tmp_path, "E0", MONDAY)
    (tmp_path / name).write_bytes(season_csv([match_row()]))
    assert list(FolderSource(tmp_path, ["E0"]).ignored) == [name]


def test_a_folder_of_nothing_known_names_both_layouts(tmp_path: Path):
    with pytest.raises(SourceUnavailable, match=r"2223/E0\.csv.*E0__20260129T090739Z\.csv"):
        FolderSource(tmp_path, ["E0"])
