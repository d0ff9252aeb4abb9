"""What faults of the simulated world do to bodies, over real HTTP, and how facts are corrected a day later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox_faulty import FILE, FaultyServer, items, served
from sandbox_world import World, event_of
from touchline.sandbox.answer import Asked
from touchline.sandbox.faults import Fault, switch_fault
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API, UK_FILES

JSON_SOURCES = [FOOTBALL_DATA_ORG, THE_ODDS_API, API_FOOTBALL]
Ask = Callable[..., httpx.Response]
Spoilt = Callable[[Fault, str], tuple[httpx.Response, httpx.Response]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyServer]:
    with served(tmp_path_factory.mktemp("sandbox")) as found:
        yield found


@pytest.fixture
def server(running: FaultyServer) -> Iterator[FaultyServer]:
    yield running
    switch_fault(running.address, "none")


@pytest.fixture
def ask(server: FaultyServer) -> Ask:
    return server.ask


@pytest.fixture
def spoilt(server: FaultyServer) -> Spoilt:
    return server.spoilt


def rows(reply: httpx.Response) -> list[str]:
    return reply.content.decode("utf-8-sig").split("\r\n")


@pytest.mark.parametrize("source", JSON_SOURCES)
def test_invalid_json_is_whole_on_the_wire_and_cannot_be_read(server: FaultyServer, ask: Ask, source: str):
    switch_fault(server.address, Fault.INVALID_JSON, 1.0)
    for _ in range(12):
        reply = ask(source)
        assert reply.status_code == 200
        with pytest.raises(ValueError, match=r"."):
            json.loads(reply.content)


def test_an_invalid_file_ends_within_a_row_or_holds_what_is_no_csv(server: FaultyServer, ask: Ask):
    whole = ask(UK_FILES).content
    switch_fault(server.address, Fault.INVALID_JSON, 1.0)
    ways = set()
    for _ in range(20):
        body = ask(UK_FILES).content
        ways.add((not body.endswith(b"\r\n"), b'"' in body, b"\x00" in body))
        assert body != whole
    assert ways == {(True, False, False), (False, True, False), (False, False, True)}


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(names_in, value.values()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("source", JSON_SOURCES)
def test_a_renamed_field_is_called_otherwise_everywhere(spoilt: Spoilt, source: str):
    before, renamed = spoilt(Fault.RENAMED_FIELDS, source)
    gone, new = (names_in(items(source, reply)) for reply in (before, renamed))
    assert len(gone - new) == len(new - gone) == 1


@pytest.mark.parametrize("source", JSON_SOURCES)
def test_a_missing_field_is_missing_in_every_other_match(spoilt: Spoilt, source: str):
    before, lacking = (items(source, reply) for reply in spoilt(Fault.MISSING_FIELDS, source))
    assert len(before) == len(lacking)
    assert lacking[1::2] == before[1::2]
    assert all(
        names_in(ours) < names_in(theirs) for ours, theirs in zip(lacking[::2], before[::2], strict=True)
    )


def test_a_file_may_have_a_column_renamed_or_lost(spoilt: Spoilt):
    before, renamed = (rows(reply) for reply in spoilt(Fault.RENAMED_FIELDS, UK_FILES))
    assert renamed[1:] == before[1:]
    assert len(set(before[0].split(",")) - set(renamed[0].split(","))) == 1
    before, lacking = (rows(reply) for reply in spoilt(Fault.MISSING_FIELDS, UK_FILES))
    assert {row.count(",") for row in lacking if row} == {before[0].count(",") - 1}


@pytest.mark.parametrize("source", [THE_ODDS_API, API_FOOTBALL])
def test_a_bookmaker_vanishes_from_all_matches_of_a_reply(spoilt: Spoilt, source: str):
    key = "key" if source == THE_ODDS_API else "name"

    def bookmakers(reply: httpx.Response) -> set[str]:
        return {book[key] for item in items(source, reply) for book in item["bookmakers"]}

    before, fewer = spoilt(Fault.VANISHED_BOOKMAKER, source)
    assert len(bookmakers(before)) == 5
    assert len(bookmakers(before) & bookmakers(fewer)) == len(bookmakers(fewer)) == 4


def test_a_bookmakers_columns_of_a_file_become_empty(spoilt: Spoilt):
    before, fewer = (
        [row.split(",") for row in rows(reply)] for reply in spoilt(Fault.VANISHED_BOOKMAKER, UK_FILES)
    )
    header = before[0]
    emptied = {header[i] for i, value in enumerate(fewer[1]) if value != before[1][i]}
    assert len(emptied) in (6, 14)
    assert all(fewer[row][header.index(name)] == "" for row in range(1, len(fewer) - 1) for name in emptied)


@pytest.mark.parametrize("source", [FOOTBALL_DATA_ORG, THE_ODDS_API])
def test_duplicates_stand_behind_the_originals(spoilt: Spoilt, source: str):
    before, doubled = (items(source, reply) for reply in spoilt(Fault.DUPLICATE_PAGES, source))
    assert doubled[: len(before)] == before
    assert doubled[len(before) :] == before[: len(doubled) - len(before)]
    assert len(doubled) > len(before)


def test_the_page_before_comes_once_more(spoilt: Spoilt, ask: Ask):
    first = ask(API_FOOTBALL, "odds?league=9001&page=1&season=2025").json()
    _, again = spoilt(Fault.DUPLICATE_PAGES, API_FOOTBALL)
    assert again.json()["response"][:10] == first["response"]
    assert again.json()["paging"] == {"current": 2, "total": 2}


def test_rows_of_a_file_stand_twice_or_elsewhere(spoilt: Spoilt):
    before, doubled = (rows(reply) for reply in spoilt(Fault.DUPLICATE_PAGES, UK_FILES))
    assert set(doubled) == set(before)
    assert len(doubled) > len(before)
    before, moved = (rows(reply) for reply in spoilt(Fault.REORDERED, UK_FILES))
    assert moved[0] == before[0]
    assert moved != before
    assert sorted(moved) == sorted(before)


def in_one_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: in_one_order(item) for name, item in value.items()}
    return sorted(map(in_one_order, value), key=json.dumps) if isinstance(value, list) else value


@pytest.mark.parametrize("source", [FOOTBALL_DATA_ORG, THE_ODDS_API])
def test_reordered_matches_are_the_same_ones(spoilt: Spoilt, source: str):
    before, moved = (items(source, reply) for reply in spoilt(Fault.REORDERED, source))
    assert moved != before
    assert in_one_order(moved) == in_one_order(before)


def test_pages_are_reordered_too(spoilt: Spoilt, ask: Ask):
    first = ask(API_FOOTBALL, "odds?league=9001&page=1&season=2025").json()["response"]
    _, moved = spoilt(Fault.REORDERED, API_FOOTBALL)
    assert in_one_order(moved.json()["response"]) == in_one_order(first)


# Corrections: the first telling is wrong, and a day later it is right. Asked without HTTP, at any moment.


class Corrected:
    """The same world with all facts told wrong at first, and without that."""

    def __init__(self) -> None:
        self.wrong_first, self.right = World(), World()
        self.wrong_first.board.switch(Fault.CORRECTIONS, 1.0)

    def both(self, now: datetime, source: str, target: str) -> tuple[Any, Any]:
        url = httpx.URL(target)
        asked = Asked(source, url.path, dict(url.params), has_key=True)
        bodies = (
            world.answers.reply(asked, now, None).answer.body for world in (self.wrong_first, self.right)
        )
        wrong, right = (body.decode() if source == UK_FILES else json.loads(body) for body in bodies)
        return wrong, right


@pytest.fixture(scope="module")
def corrected() -> Corrected:
    return Corrected()


@pytest.mark.parametrize(
    ("source", "target", "appears_after"),
    [
        (FOOTBALL_DATA_ORG, "competitions/XPL/matches?season=2025", timedelta(hours=2)),
        (API_FOOTBALL, "fixtures?league=9001&season=2025", timedelta(hours=2)),
        (THE_ODDS_API, "sports/soccer_xanadu_premier/scores?daysFrom=3", timedelta(hours=2, minutes=15)),
    ],
)
def test_a_score_has_a_goal_too_many_for_a_day(
    corrected: Corrected, source: str, target: str, appears_after: timedelta
):
    appears_at = corrected.right.next_match["kickoff_at"] + appears_after
    day, minute = timedelta(days=1), timedelta(minutes=1)
    goals: list[list[int]] = []
    for now in (appears_at - minute, appears_at, appears_at + day - minute, appears_at + day):
        totals = [total_goals(source, told) for told in corrected.both(now, source, target)]
        goals.append(totals)
    assert goals[1][0] - goals[1][1] == goals[0][0] - goals[0][1] + 1
    assert goals[2][0] > goals[2][1]
    last_day = datetime(2026, 6, 1, tzinfo=UTC)
    wrong, right = corrected.both(last_day, source, target)
    assert wrong == right


def total_goals(source: str, told: Any) -> int:
    if source == FOOTBALL_DATA_ORG:
        found = [match["score"]["fullTime"] for match in told["matches"] if match["score"]["winner"]]
        return sum(pair["home"] + pair["away"] for pair in found)
    if source == API_FOOTBALL:
        found = [item["score"]["fulltime"] for item in told["response"]]
        return sum((pair["home"] or 0) + (pair["away"] or 0) for pair in found)
    return sum(int(score["score"]) for event in told if event["completed"] for score in event["scores"])


def test_prices_are_a_little_low_for_a_day_after_a_match_is_listed(corrected: Corrected):
    listed_at = corrected.right.next_match["kickoff_at"] - timedelta(days=8)
    for hours, is_wrong in ((0, True), (23, True), (24, False)):
        now = listed_at + timedelta(hours=hours)
        told = corrected.both(now, THE_ODDS_API, "sports/soccer_xanadu_premier/odds?regions=uk,eu")
        wrong, right = (event_of(events, corrected.right.next_match)["bookmakers"] for events in told)
        assert (wrong != right) == is_wrong
        prices = [
            (ours["price"], theirs["price"])
            for books in zip(wrong, right, strict=True)
            for ours, theirs in zip(*(book["markets"][0]["outcomes"] for book in books), strict=True)
        ]
        assert all(ours <= theirs for ours, theirs in prices)
        assert (sum(ours < theirs for ours, theirs in prices) == 5) == is_wrong


def test_a_season_file_is_corrected_a_day_after_its_results(corrected: Corrected):
    published_at = corrected.right.next_match["result_published_at"]
    wrong, right = corrected.both(published_at, UK_FILES, FILE)
    differing = [
        (ours.split(","), theirs.split(","))
        for ours, theirs in zip(wrong.splitlines(), right.splitlines(), strict=True)
        if ours != theirs
    ]
    header = right.lstrip("\ufeff").splitlines()[0].split(",")
    assert differing
    for ours, theirs in differing:
        changed = {name for name, a, b in zip(header, ours, theirs, strict=True) if a != b}
        assert {"FTHG", "B365CH"} <= changed <= {"FTHG", "FTR", "B365CH"}
        assert int(ours[header.index("FTHG")]) == int(theirs[header.index("FTHG")]) + 1
    later, right_later = corrected.both(published_at + timedelta(days=60), UK_FILES, FILE)
    assert later == right_later
