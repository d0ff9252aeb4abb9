"""A folder that is read on the day it was downloaded: what its files hold is public, and nothing is listed twice."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import match_row, season_csv, write_season_file
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.source import Observations, Reply, Request

# A Saturday; the match kicks off at 15:00 and is published by the timetable on Sunday at 06:00.
DAY = datetime(2023, 1, 14, tzinfo=UTC)
EVENING = DAY + timedelta(hours=22)
AHEAD = {"FTHG": "", "FTAG": "", "FTR": "", "AvgCH": "", "AvgCD": "", "AvgCA": ""}


def written(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))


def served(folder: Path, as_of: datetime = EVENING) -> tuple[Observations, Observations]:
    """What the season file and the list of fixtures say at `as_of`."""
    source = FolderSource(folder, ["E0"])
    found = []
    for endpoint in ("mmz4281/2223/E0.csv", "fixtures.csv"):
        request = Request("football_data_uk", endpoint)
        reply = source.fetch(request, as_of, {})
        assert isinstance(reply, Reply)
        found.append(source.parse(request, reply.body))
    return found[0], found[1]


def results(said: Observations) -> list[str]:
    played = said.fixtures.filter(said.fixtures["status"] == "played")
    return played["home_team"].to_list()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Yesterday's and today's result, and the list of the weekend as it was downloaded the day before."""
    path = write_season_file(
        tmp_path, [match_row(Date="13/01/2023", HomeTeam="Leeds", AwayTeam="Derby"), match_row()]
    )
    written(path, DAY + timedelta(hours=20))
    listed = [
        match_row(Date="14/01/23", **AHEAD),
        match_row(Date="15/01/23", HomeTeam="Stoke", AwayTeam="Burnley", **AHEAD),
    ]
    (tmp_path / "fixtures.csv").write_bytes(season_csv(listed))
    return tmp_path


def test_a_result_is_public_once_its_file_was_written(folder: Path):
    season, fixtures = served(folder)
    assert results(season) == ["Leeds", "Arsenal"]
    assert season.quotes["is_closing"].any()
    assert fixtures.fixtures["home_team"].to_list() == ["Stoke"]
    assert (season.rejections, fixtures.rejections) == ([], [])


def test_a_file_that_was_written_later_knows_only_what_the_timetable_had_made_public(folder: Path):
    written(folder / "2223" / "E0.csv", EVENING + timedelta(days=900))
    season, fixtures = served(folder)
    assert results(season) == ["Leeds"]
    # The season file and the folder's own list both have today's match; it is listed once.
    assert sorted(fixtures.fixtures["home_team"]) == ["Arsenal", "Stoke"]
    assert fixtures.rejections == []
    assert not fixtures.quotes["is_closing"].any()


@pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), DAY + timedelta(hours=14)])
def test_a_file_that_seems_older_than_its_results_says_nothing_of_their_time(folder: Path, at: datetime):
    written(folder / "2223" / "E0.csv", at)
    assert results(served(folder)[0]) == ["Leeds"]
    assert results(served(folder, DAY + timedelta(days=1, hours=6))[0]) == ["Leeds", "Arsenal"]


def test_a_match_without_a_result_stays_a_fixture(folder: Path):
    path = write_season_file(folder, [match_row(**AHEAD)])
    written(path, DAY + timedelta(hours=20))
    season, fixtures = served(folder)
    assert season.fixtures.is_empty()
    assert sorted(fixtures.fixtures["home_team"]) == ["Arsenal", "Stoke"]


def test_a_match_that_a_folder_lists_twice_itself_is_still_told(folder: Path):
    path = folder / "fixtures.csv"
    path.write_bytes(season_csv([match_row(Date="15/01/23", HomeTeam="Stoke", **AHEAD)] * 2))
    assert [each.rule for each in served(folder)[1].rejections] == ["duplicate_row"]
