"""Faults of the simulated world, over real HTTP: each does what its name says, and stops when it is switched off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from sandbox_faulty import FILE, SECRET, TARGETS, FaultyServer, items, served
from touchline import cli
from touchline.errors import SourceUnavailable
from touchline.sandbox.clock import BEGINNING
from touchline.sandbox.faults import Fault, FaultBoard, read_faults, read_option, switch_fault
from touchline.sandbox.server import SandboxServer
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API, UK_FILES

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


# Refusals


def test_too_many_requests_are_refused_in_each_providers_words(spoilt: Spoilt):
    _, uk = spoilt(Fault.RATE_LIMITED, UK_FILES)
    assert (uk.status_code, uk.headers["retry-after"]) == (429, "1")
    _, org = spoilt(Fault.RATE_LIMITED, FOOTBALL_DATA_ORG)
    assert org.status_code == 429
    assert org.json() == {"message": "You reached your request limit. Wait 1 seconds.", "errorCode": 429}
    assert org.headers["X-Requests-Available-Minute"] == "0"
    _, odds = spoilt(Fault.RATE_LIMITED, THE_ODDS_API)
    assert (odds.status_code, odds.json()["error_code"]) == (429, "EXCEEDED_FREQ_LIMIT")
    _, football = spoilt(Fault.RATE_LIMITED, API_FOOTBALL)
    assert football.status_code in (200, 429)
    assert football.json()["errors"].keys() == {"rateLimit"}
    assert football.json()["response"] == []


def test_a_spent_quota_is_told_in_each_providers_words(spoilt: Spoilt):
    _, odds = spoilt(Fault.QUOTA_SPENT, THE_ODDS_API)
    assert (odds.status_code, odds.json()["error_code"]) == (401, "OUT_OF_USAGE_CREDITS")
    assert odds.headers["x-requests-remaining"] == "0"
    _, football = spoilt(Fault.QUOTA_SPENT, API_FOOTBALL)
    assert (football.status_code, football.json()["errors"].keys()) == (200, {"requests"})
    _, org = spoilt(Fault.QUOTA_SPENT, FOOTBALL_DATA_ORG)
    assert org.status_code == 429
    # From 16:00 to midnight.
    assert "Wait 28800 seconds" in org.json()["message"]


def test_files_have_no_quota_to_spend(server: FaultyServer, ask: Ask):
    hits = read_faults(server.address)["hits"]
    switch_fault(server.address, Fault.QUOTA_SPENT, 1.0)
    assert ask(UK_FILES).status_code == 200
    assert read_faults(server.address)["hits"] == hits


@pytest.mark.parametrize("source", TARGETS)
def test_servers_fail_with_every_status_of_theirs(server: FaultyServer, ask: Ask, source: str):
    switch_fault(server.address, Fault.SERVER_ERRORS, 1.0)
    assert {ask(source).status_code for _ in range(25)} == {500, 502, 503}


@pytest.mark.parametrize("source", TARGETS)
def test_a_web_page_comes_in_place_of_data(spoilt: Spoilt, source: str):
    _, page = spoilt(Fault.HTML, source)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.startswith("<!DOCTYPE html>")
    assert "etag" not in page.headers


# The way


@pytest.mark.parametrize("source", TARGETS)
def test_a_cut_reply_ends_before_its_length(server: FaultyServer, ask: Ask, source: str):
    whole = ask(source).content
    switch_fault(server.address, Fault.CUT, 1.0)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask(source)
    switch_fault(server.address, "none")
    assert ask(source).content == whole


def test_a_cut_file_ends_within_a_row(server: FaultyServer):
    switch_fault(server.address, Fault.CUT, 1.0)
    received = bytearray()

    def read(reply: httpx.Response) -> None:
        for part in reply.iter_bytes():
            received.extend(part)

    with (
        httpx.stream("GET", f"{server.address}/{FILE}") as reply,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"),
    ):
        read(reply)
    lines = received.split(b"\r\n")
    assert lines[-1].startswith(b"X1,")
    assert lines[-1].count(b",") < lines[0].count(b",")


@pytest.mark.parametrize("source", TARGETS)
def test_a_slow_reply_is_whole_and_late(server: FaultyServer, spoilt: Spoilt, source: str):
    switch_fault(server.address, "none", slow_seconds=0.05)
    before, slow = spoilt(Fault.SLOW, source)
    assert slow.content == before.content
    # The server sleeps at least as long as it was told; how much longer says nothing.
    assert slow.elapsed >= timedelta(seconds=0.04)


# Time


@pytest.mark.parametrize(("source", "name"), [(FOOTBALL_DATA_ORG, "lastUpdated"), (API_FOOTBALL, "update")])
def test_a_skewed_clock_is_ninety_minutes_off(spoilt: Spoilt, source: str, name: str):
    before, skewed = (items(source, reply) for reply in spoilt(Fault.CLOCK_SKEW, source))
    gaps = {
        datetime.fromisoformat(ours[name]) - datetime.fromisoformat(theirs[name])
        for ours, theirs in zip(skewed, before, strict=True)
    }
    assert {abs(gap) for gap in gaps} == {timedelta(minutes=90)}
    assert all(ours[name][19:] == theirs[name][19:] for ours, theirs in zip(skewed, before, strict=True))


def test_skewed_clocks_also_run_ahead_and_headers_with_them(server: FaultyServer, ask: Ask):
    assert ask(THE_ODDS_API).headers["date"] == "Fri, 13 Mar 2026 16:00:00 GMT"
    switch_fault(server.address, Fault.CLOCK_SKEW, 1.0)
    dates = {ask(THE_ODDS_API).headers["date"] for _ in range(12)}
    assert dates == {"Fri, 13 Mar 2026 14:30:00 GMT", "Fri, 13 Mar 2026 17:30:00 GMT"}


def test_stale_validators_are_of_another_body_and_take_every_reader_for_up_to_date(
    server: FaultyServer, ask: Ask
):
    true_tag = ask(UK_FILES).headers["etag"]
    switch_fault(server.address, Fault.CLOCK_SKEW, 1.0)
    stale = ask(UK_FILES)
    assert (stale.status_code, stale.headers["etag"] == true_tag) == (200, False)
    assert ask(UK_FILES, **{"If-None-Match": '"an old one"'}).status_code == 304
    switch_fault(server.address, "none")
    assert ask(UK_FILES, **{"If-None-Match": stale.headers["etag"]}).status_code == 200
    assert ask(UK_FILES, **{"If-None-Match": true_tag}).status_code == 304


# Control


def test_hits_follow_from_the_seed_and_the_number_of_the_request():
    def hits(seed: int, label: str) -> list[bool]:
        board = FaultBoard(seed)
        board.switch("cut", 0.3)
        return [bool(board.draw(label).faults) for _ in range(200)]

    assert hits(7, "a") == hits(7, "a")
    assert hits(7, "a") != hits(8, "a")
    assert hits(7, "a") != hits(7, "b")
    assert 35 < sum(hits(7, "a")) < 85


def test_a_fault_can_be_of_one_source_alone():
    board = FaultBoard(7)
    board.switch("cut", 1.0, source="the_odds_api")
    assert board.draw("the_odds_api/sports").faults == {Fault.CUT}
    assert board.draw("football_data_uk/fixtures.csv").faults == frozenset()
    assert board.state()["sources"] == {"cut": "the_odds_api"}
    board.switch("cut", 1.0)
    assert board.draw("football_data_uk/fixtures.csv").faults == {Fault.CUT}
    with pytest.raises(ValueError, match="no source 'odds'; there are football_data_uk"):
        board.switch("cut", 1.0, source="odds")


def test_faults_are_drawn_independently_of_each_other():
    alone, together = FaultBoard(7), FaultBoard(7)
    alone.switch("cut")
    together.switch("all")
    for _ in range(50):
        both = alone.draw("x").faults, together.draw("x").faults
        assert (Fault.CUT in both[0]) == (Fault.CUT in both[1])


def test_faults_are_switched_singly_all_together_and_off(server: FaultyServer):
    assert read_faults(server.address)["faults"] == {}
    assert switch_fault(server.address, "cut", 0.5)["faults"] == {"cut": 0.5}
    assert switch_fault(server.address, "html")["faults"] == {"cut": 0.5, "html": 0.3}
    assert switch_fault(server.address, "cut", 0.0)["faults"] == {"html": 0.3}
    assert switch_fault(server.address, "all", 0.1)["faults"] == dict.fromkeys(map(str, Fault), 0.1)
    assert switch_fault(server.address, "none")["faults"] == {}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "gremlins"}, "there is no fault 'gremlins'"),
        ({"name": "cut", "rate": 2}, "between 0 and 1"),
        ({"name": "slow", "slow_seconds": 1000}, "seconds"),
        ({}, "name"),
        ([], "an object was expected"),
    ],
)
def test_an_impossible_switch_is_refused(server: FaultyServer, body: Any, said: str):
    reply = httpx.post(f"{server.address}/faults", json=body)
    assert reply.status_code == 400
    assert said in reply.text
    assert read_faults(server.address)["faults"] == {}


def test_options_of_the_command_line_are_read():
    assert read_option("cut") == ("cut", 0.3)
    assert read_option("all:0.05") == ("all", 0.05)
    with pytest.raises(ValueError, match="could not convert"):
        read_option("cut:often")


def test_faults_are_switched_and_counted_from_the_command_line(
    server: FaultyServer, ask: Ask, tmp_path: Path
):
    port = server.address.rsplit(":", 1)[1]
    settings = {"TOUCHLINE_HOME": str(tmp_path), "TOUCHLINE_SANDBOX_PORT": port}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli.app, list(arguments), env=settings)

    switched = run("--json", "sandbox", "fault", "html", "--rate", "1")
    # The server's own log of this process comes first.
    printed = switched.stdout[switched.stdout.index("{") :]
    assert json.loads(printed)["faults"] == {"html": 1.0}
    ask(UK_FILES)
    shown = run("sandbox", "fault", "none").stdout
    row = next(line for line in shown.splitlines() if " html " in line)
    assert "off" in row
    assert read_faults(server.address)["faults"] == {}
    assert run("sandbox", "fault", "gremlins").exit_code == 2
    assert "gremlins" in run("sandbox", "serve", "--port", "0", "--fault", "gremlins").output


def test_a_sandbox_that_is_not_there_or_refuses_says_so(server: FaultyServer):
    with pytest.raises(SourceUnavailable, match="touchline up"):
        read_faults("http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="refused: there is no fault"):
        switch_fault(server.address, "gremlins")


def test_the_clock_and_the_faults_themselves_answer_under_all_faults(server: FaultyServer):
    switch_fault(server.address, "all", 1.0)
    for _ in range(5):
        assert httpx.get(f"{server.address}/clock").json()["now"] == BEGINNING.isoformat()
        assert len(read_faults(server.address)["faults"]) == len(Fault)


def test_the_log_names_fault_and_request_and_never_the_key(
    server: FaultyServer, ask: Ask, capsys: pytest.CaptureFixture[str]
):
    switch_fault(server.address, Fault.HTML, 1.0)
    for source in TARGETS:
        ask(source)
    log = capsys.readouterr().out
    assert f"fault html hit GET {UK_FILES}/{FILE}" in log
    assert "fault html hit GET the_odds_api/sports/soccer_xanadu_premier/odds?markets=h2h,totals" in log
    assert (
        '"GET /the_odds_api/v4/sports/soccer_xanadu_premier/odds?markets=h2h,totals&regions=uk,eu" 200' in log
    )
    assert SECRET not in log


def test_limits_count_down_and_are_never_spent_without_a_fault(ask: Ask):
    first, second = ask(THE_ODDS_API).headers, ask(THE_ODDS_API).headers
    assert int(first["x-requests-remaining"]) - int(second["x-requests-remaining"]) == 4
    assert second["x-requests-last"] == "4"
    assert ask(FOOTBALL_DATA_ORG).headers.keys() >= {"x-requests-available-minute", "x-requestcounter-reset"}
    days = [int(ask(API_FOOTBALL).headers["x-ratelimit-requests-remaining"]) for _ in range(2)]
    assert days[0] - days[1] == 1


def test_an_empty_list_can_be_spoilt_too(server: FaultyServer, ask: Ask):
    switch_fault(server.address, "all", 0.5)
    for _ in range(40):
        try:
            assert ask(
                THE_ODDS_API, f"sports/soccer_ylandia_premier/odds?apiKey={SECRET}&regions=uk"
            ).status_code
        except httpx.RemoteProtocolError:
            continue


def test_serving_under_a_fault_keeps_nothing_of_it_for_the_next_server(tmp_path: Path):
    with SandboxServer("127.0.0.1", 0, 7, tmp_path) as first:
        first.faults.switch("all")
    with SandboxServer("127.0.0.1", 0, 7, tmp_path) as second:
        assert second.faults.state()["faults"] == {}
