"""Speaking with a provider: limits shared through the database, retries where they help, keys never shown."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from scripted_provider import ScriptedProvider, scripted_provider
from scripted_provider import ScriptedReply as Answer
from touchline.database.engine import connect, rows
from touchline.errors import SourceAsksToWait, SourceResting, SourceUnavailable
from touchline.settings import Settings
from touchline.sources.configuration import SourceConfiguration
from touchline.sources.governor import COOL_DOWN, FAILURES_THAT_OPEN, DatabaseGovernor
from touchline.sources.http import (
    ATTEMPTS,
    Allowance,
    ProviderClient,
    RawReply,
    Verdict,
    judge_status,
)
from touchline.sources.source import NoReply, Reply, Request

pytestmark = pytest.mark.slow

NOON = datetime(2023, 3, 10, 12, tzinfo=UTC)
KEY = "s3cret-key-of-ours"
REQUEST = Request("plain", "matches?season=2022")


class Plain:
    """A dialect without surprises: the key in the query, credits in a header."""

    key_header = None
    key_parameter = "apiKey"

    def judge(self, reply: RawReply) -> Verdict:
        if reply.body == b"spent":
            return Verdict("quota_spent", "the plan is used up")
        return judge_status(reply)

    def allowance(self, reply: RawReply) -> Allowance:
        left = reply.headers.get("x-left")
        return Allowance(remaining_credits=None if left is None else int(left))


def configuration(address: str, **changes: Any) -> SourceConfiguration:
    values = {"address": address, "gives": ("odds",), "competitions": {}, "calls_per_minute": 60_000}
    return SourceConfiguration.model_validate(values | changes)


@pytest.fixture
def ask(settings: Settings) -> Callable[..., Any]:
    """Ask a scripted server once, as a process of its own would; returns (answer, seconds slept)."""
    real = settings.model_copy(update={"source": "live"})

    def once(
        server: ScriptedProvider, as_of: datetime = NOON, request: Request = REQUEST,
        world: Settings = real, **changes: Any,
    ) -> Any:  # fmt: skip
        slept: list[float] = []
        with (
            DatabaseGovernor(world, "plain", configuration(server.address, **changes), as_of) as governor,
            ProviderClient(
                "plain", server.address, Plain(), governor, SecretStr(KEY), sleep=slept.append
            ) as client,
        ):
            return client.get(request, {"etag": '"1"'}), slept

    return once


def state(settings: Settings) -> dict[str, Any]:
    with connect(settings, "ingest") as connection:
        return rows(connection, "select * from ops.source_state")[0]


def test_a_body_comes_with_its_validators_and_the_key_goes_only_to_the_provider(ask: Callable[..., Any]):
    with scripted_provider([Answer(body=b"[]", headers={"ETag": '"2"'})]) as server:
        reply, _ = ask(server)
    assert isinstance(reply, Reply)
    assert (reply.body, reply.validators) == (b"[]", {"etag": '"2"'})
    assert server.paths[0] == f"/matches?season=2022&apiKey={KEY}"
    assert server.headers[0]["if-none-match"] == '"1"'
    assert KEY not in repr(reply)


def test_a_key_that_a_provider_sends_back_is_not_kept(ask: Callable[..., Any]):
    with scripted_provider([Answer(body=f'{{"parameters": "{KEY}"}}'.encode())]) as server:
        reply, _ = ask(server)
    assert KEY.encode() not in reply.body
    assert len(reply.body) == len(f'{{"parameters": "{KEY}"}}')


def test_a_refusal_that_quotes_the_key_does_not_show_it(ask: Callable[..., Any], settings: Settings):
    class Quoting(Plain):
        def judge(self, reply: RawReply) -> Verdict:
            return Verdict("refused", f"the key {KEY} is not valid")

    with (
        scripted_provider([Answer()]) as server,
        DatabaseGovernor(settings, "plain", configuration(server.address), NOON) as governor,
        ProviderClient("plain", server.address, Quoting(), governor, SecretStr(KEY)) as client,
        pytest.raises(SourceUnavailable, match="is not valid") as caught,
    ):
        client.get(REQUEST, {})
    assert KEY not in str(caught.value)
    assert KEY not in str(state(settings)["last_error"])


@pytest.mark.parametrize(("status", "reason"), [(304, "not_modified"), (404, "not_offered")])
def test_nothing_new_and_nothing_there_are_no_failures(
    ask: Callable[..., Any], settings: Settings, status: int, reason: str
):
    with scripted_provider([Answer(status=status, body=b"")]) as server:
        assert ask(server)[0] == NoReply(reason)  # type: ignore[arg-type]
    assert state(settings)["n_failures"] == 0


@pytest.mark.parametrize("bad", [Answer(500), Answer(503), Answer(429), Answer(body=b"x" * 100, sent=10)])
def test_what_may_pass_is_tried_again_with_growing_waits(ask: Callable[..., Any], bad: Answer):
    with scripted_provider([bad, bad, Answer(body=b"fine")]) as server:
        reply, slept = ask(server)
    assert reply.body == b"fine"
    assert len(server.paths) == 3
    waits = [each for each in slept if each > 0.1]
    assert len(waits) == 2


def test_the_wait_that_a_provider_asks_for_is_kept(ask: Callable[..., Any]):
    with scripted_provider([Answer(429, headers={"Retry-After": "7"}), Answer(body=b"fine")]) as server:
        _, slept = ask(server)
    assert max(slept) >= 7


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_pause_that_a_provider_asks_for_is_waited_for_by_nobody_and_kept_by_all(
    ask: Callable[..., Any], settings: Settings, status: int
):
    with scripted_provider([Answer(status, headers={"Retry-After": "600"}), Answer(body=b"fine")]) as server:
        for _ in range(2):
            with pytest.raises(SourceAsksToWait) as asked:
                ask(server)
            assert 590 < asked.value.seconds <= 600
        assert len(server.paths) == 1
        with connect(settings, "ingest") as connection:
            connection.execute("update ops.source_state set asked_until = now(), next_call_at = now()")
        assert ask(server)[0].body == b"fine"


def test_in_the_simulated_world_a_pause_keeps_nobody_from_asking_again(
    ask: Callable[..., Any], settings: Settings
):
    with scripted_provider([Answer(429, headers={"Retry-After": "600"}), Answer(body=b"fine")]) as server:
        with pytest.raises(SourceAsksToWait):
            ask(server, world=settings)
        assert ask(server, world=settings)[0].body == b"fine"


def test_what_stays_broken_is_given_up_with_its_address_and_without_the_key(ask: Callable[..., Any]):
    with scripted_provider([Answer(500)]) as server, pytest.raises(SourceUnavailable) as caught:
        ask(server)
    assert len(server.paths) == ATTEMPTS
    assert f"{server.address}/matches?season=2022" in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in repr(caught.value.__context__)


def test_a_server_that_is_not_there_is_unavailable_without_the_key(ask: Callable[..., Any]):
    nowhere = ScriptedProvider("http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9") as caught:
        ask(nowhere)
    assert KEY not in str(caught.value)


def test_a_refusal_is_not_tried_again(ask: Callable[..., Any]):
    with scripted_provider([Answer(403)]) as server, pytest.raises(SourceUnavailable, match="403"):
        ask(server)
    assert len(server.paths) == 1


def test_two_processes_share_one_pace(ask: Callable[..., Any]):
    with scripted_provider([Answer()]) as server:
        ask(server, calls_per_minute=6)
        _, slept = ask(server, calls_per_minute=6)
    assert 9 < sum(slept) <= 10


def test_many_failures_open_the_circuit_and_a_success_after_the_rest_closes_it(
    ask: Callable[..., Any], settings: Settings
):
    with scripted_provider([Answer(500)]) as server:
        for _ in range(FAILURES_THAT_OPEN // ATTEMPTS):
            with pytest.raises(SourceUnavailable):
                ask(server)
        n_asked = len(server.paths)
        with pytest.raises(SourceResting, match="status 500"):
            ask(server)
        assert len(server.paths) == n_asked
    assert state(settings)["circuit"] == "open"
    with scripted_provider([Answer()]) as server:
        assert isinstance(ask(server, as_of=NOON + COOL_DOWN)[0], Reply)
    assert (state(settings)["circuit"], state(settings)["n_failures"]) == ("closed", 0)


def test_a_failure_after_the_rest_opens_the_circuit_again_at_once(
    ask: Callable[..., Any], settings: Settings
):
    with scripted_provider([Answer(500)]) as server:
        for _ in range(FAILURES_THAT_OPEN // ATTEMPTS):
            with pytest.raises(SourceUnavailable):
                ask(server)
        n_asked = len(server.paths)
        with pytest.raises(SourceUnavailable):
            ask(server, as_of=NOON + COOL_DOWN)
        assert len(server.paths) == n_asked + 1
    assert state(settings)["opened_as_of"] == NOON + COOL_DOWN


def test_only_one_call_tries_whether_a_rested_source_is_back(ask: Callable[..., Any], settings: Settings):
    with scripted_provider([Answer(500)]) as server:
        for _ in range(FAILURES_THAT_OPEN // ATTEMPTS):
            with pytest.raises(SourceUnavailable):
                ask(server)
    later = NOON + COOL_DOWN
    with DatabaseGovernor(settings, "plain", configuration(server.address), later) as first:
        first.before_call(REQUEST)
        with (
            DatabaseGovernor(settings, "plain", configuration(server.address), later) as second,
            pytest.raises(SourceResting),
        ):
            second.before_call(REQUEST)
        first.after_call(REQUEST, Allowance(), Verdict("answered"))
    assert state(settings)["circuit"] == "closed"


def test_calls_made_at_once_do_not_overdraw_the_budget(settings: Settings):
    odds = Request("plain", "odds", cost=6)
    with scripted_provider([Answer()]) as server:
        found = configuration(server.address, credits_per_day=20)
        with (
            DatabaseGovernor(settings, "plain", found, NOON) as governor,
            ProviderClient("plain", server.address, Plain(), governor, SecretStr(KEY)) as client,
            ThreadPoolExecutor(6) as executor,
        ):
            asked = [executor.submit(client.get, odds, {}) for _ in range(8)]
            errors = [each.exception() for each in asked]
    assert sum(error is None for error in errors) == 3
    assert {type(error) for error in errors} == {type(None), SourceResting}
    assert len(server.paths) == 3


def test_a_redirect_does_not_take_the_key_along(ask: Callable[..., Any]):
    with (
        scripted_provider([Answer(body=b"elsewhere")]) as other,
        scripted_provider([Answer(302, headers={"Location": other.address})]) as server,
        pytest.raises(SourceUnavailable, match="302"),
    ):
        ask(server)
    assert other.paths == []


def test_a_spent_quota_is_respected_until_the_next_day(ask: Callable[..., Any]):
    with scripted_provider([Answer(401, b"spent"), Answer()]) as server:
        with pytest.raises(SourceUnavailable, match="used up"):
            ask(server)
        with pytest.raises(SourceResting, match="2023-03-11"):
            ask(server)
        assert len(server.paths) == 1
        assert isinstance(ask(server, as_of=NOON + timedelta(days=1))[0], Reply)


def test_the_last_credits_are_kept(ask: Callable[..., Any]):
    with scripted_provider([Answer(headers={"X-Left": "23"})]) as server:
        ask(server, keep_credits=20)
        with pytest.raises(SourceResting, match="keep_credits"):
            ask(server, keep_credits=20, request=Request("plain", "odds", cost=6))
        ask(server, keep_credits=20, request=Request("plain", "odds", cost=3))
    assert len(server.paths) == 2


def test_the_day_s_budget_stops_before_it_is_overdrawn(ask: Callable[..., Any]):
    odds = Request("plain", "odds", cost=6)
    with scripted_provider([Answer()]) as server:
        ask(server, credits_per_day=10, request=odds)
        with pytest.raises(SourceResting, match="6 of today's 10 credits"):
            ask(server, credits_per_day=10, request=odds)
        ask(server, credits_per_day=10, request=odds, as_of=NOON + timedelta(days=1))
    assert len(server.paths) == 2
