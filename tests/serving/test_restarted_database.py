"""PostgreSQL crashes, stays away and comes back while clients ask all the time; nobody waits for ever."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from benchmarks.own_server import Unsupervised

from api_process import free_port, key_for, process
from own_postgres import own_postgres
from served_world import NOW, World
from touchline.accounts import keys
from touchline.database.engine import connect, scalar

pytestmark = pytest.mark.slow

N_CLIENTS = 24
SECONDS_AWAY = 4
# A client that is not answered by then waits for ever.
LONG_ENOUGH = 60

Asked = dict[str, httpx.Response]


@pytest.fixture(scope="module")
def own(served_world: World) -> Iterator[Unsupervised]:
    with own_postgres(served_world.settings) as server:
        yield server


@pytest.fixture(scope="module")
def key(own: Unsupervised) -> str:
    return key_for(own.settings, "read", "profile").key


@contextmanager
def serving(own: Unsupervised) -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "touchline.serving", "--port", str(port)]
    with process(command, own.settings.model_copy(update={"as_of": NOW}), address):
        yield address


async def ask_all_the_time(
    client: httpx.AsyncClient, paths: list[str], meanwhile: Callable[[], Awaitable[None]]
) -> list[tuple[str, httpx.Response]]:
    """Every reply that the clients got until `meanwhile` was done; raises what a client raises."""
    found: list[tuple[str, httpx.Response]] = []
    is_over = False

    async def ask(number: int) -> None:
        turn = number
        while not is_over:
            path = paths[turn % len(paths)]
            found.append((path, await client.get(path)))
            turn += 1

    async with asyncio.TaskGroup() as group:
        for number in range(N_CLIENTS):
            group.create_task(ask(number))
        await meanwhile()
        is_over = True
    return found


def test_a_crash_of_the_database_is_told_while_it_lasts_and_over_without_a_restart(
    own: Unsupervised, served_world: World, key: str
):
    world = served_world
    paths = [
        "/v1/predictions/upcoming",
        f"/v1/predictions/{world.ids['new']}",
        f"/v1/predictions/{world.ids['old']}/markets",
        f"/v1/matches/{world.priced}",
        f"/v1/matches/{world.priced}/odds",
        "/v1/matches?competition=E0",
        "/v1/models",
        "/v1/me/profile",
        "/",
        f"/matches/{world.priced}",
    ]

    async def crash_and_come_back() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(own.crash)
        await asyncio.sleep(SECONDS_AWAY)
        await asyncio.to_thread(own.start)

    async def drill(address: str) -> tuple[list[tuple[str, httpx.Response]], Asked]:
        async with httpx.AsyncClient(
            base_url=address, headers={"X-API-Key": key}, timeout=LONG_ENOUGH
        ) as client:
            for path in paths:
                before[path] = await client.get(path)
            found = await ask_all_the_time(client, paths, crash_and_come_back)
            after: Asked = {}
            async with asyncio.timeout(LONG_ENOUGH):
                while set(after) < set(paths):
                    for path in paths:
                        reply = await client.get(path)
                        if reply.status_code == 200:
                            after[path] = reply
                        else:
                            found.append((path, reply))
            return found, after

    before: Asked = {}
    with serving(own) as address:
        found, after = asyncio.run(drill(address))
        assert {reply.status_code for reply in before.values()} == {200}
        told = {path for path, reply in found if reply.status_code == 503}
        # Nothing is answered for long from what is kept.
        assert told == set(paths)
        for path, reply in found:
            assert reply.status_code in (200, 503), (path, reply.text)
            if reply.status_code == 503:
                assert reply.headers["retry-after"] == "5", path
                assert "Traceback" not in reply.text
        for path in paths:
            # What the board says of the database's state may have changed.
            if path != "/":
                answered = {
                    reply.content for each, reply in found if each == path and reply.status_code == 200
                }
                assert answered <= {before[path].content}, path
                assert after[path].content == before[path].content
        with connect(own.settings, "owner") as connection:
            query = "select coalesce(sum(n), 0)::int from ops.api_key_use where prefix = %s and status = 503"
            n_told = sum(reply.status_code == 503 for _, reply in found)
            while (n_written := scalar(connection, query, (keys.prefix_of(key),))) == 0:
                connection.rollback()
                time.sleep(0.05)
    assert n_written <= n_told
