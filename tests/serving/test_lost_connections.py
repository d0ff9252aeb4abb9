"""A connection to the database may be lost at any moment: a read is answered, or said to be unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg
import pytest

from touchline.database.engine import open_url
from touchline.errors import DatabaseUnavailable
from touchline.serving import database
from touchline.serving.database import Reader
from touchline.settings import Settings

pytestmark = pytest.mark.slow

QUERY = "select number from generate_series(1, $1::int) as number"
ROWS = [{"number": 1}, {"number": 2}, {"number": 3}]
LONG_ENOUGH = 60

Break = Literal["reset", "closed", "silent"]


class Line:
    """A line to the server that breaks once the server has said so many bytes on a connection; by default never."""

    def __init__(self, server: str) -> None:
        self.breaks_after: int | None = None
        self.how: Break = "reset"
        self.n_said = 0
        self.n_connections = 0
        self._server = urlsplit(server)

    async def relay(self, asking: asyncio.StreamReader, telling: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        self.n_connections += 1
        answering, passing = await asyncio.open_connection(self._server.hostname, self._server.port)
        pumps = [
            asyncio.create_task(_pump(asking, passing)),
            asyncio.create_task(self._say(answering, telling)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self.how == "silent":
                await asyncio.wait(pumps)
        finally:
            for pump in pumps:
                pump.cancel()
            passing.close()
            telling.transport.abort() if self.how == "reset" else telling.close()

    async def _say(self, answering: asyncio.StreamReader, telling: asyncio.StreamWriter) -> None:
        left, self.n_said = self.breaks_after, 0
        with suppress(ConnectionError):
            while data := await answering.read(65536):
                telling.write(data if left is None else data[:left])
                await telling.drain()
                self.n_said += len(data)
                if left is not None and (left := left - len(data)) <= 0:
                    return


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()


@asynccontextmanager
async def reading_through(settings: Settings) -> AsyncIterator[tuple[Line, Reader]]:
    """A reader whose connections go through a line."""
    line = Line(settings.admin_url)
    async with await asyncio.start_server(line.relay, "127.0.0.1", 0) as relay:
        here = f"127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        there = urlsplit(settings.admin_url).netloc.rpartition("@")[2]
        through = settings.model_copy(update={"database_url": settings.admin_url.replace(there, here)})
        reader = Reader(through)
        try:
            yield line, reader
        finally:
            await reader.close()


async def read(reader: Reader) -> list[dict[str, int]] | None:
    """The rows, or None when the database is said to be unavailable."""
    with suppress(DatabaseUnavailable):
        return [dict(row) for row in await asyncio.wait_for(reader.rows(QUERY, 3), LONG_ENOUGH)]
    return None


@pytest.mark.parametrize("how", ["reset", "closed"])
@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.nightly)])
def test_wherever_a_connection_breaks_the_read_is_unavailable_and_the_next_one_answered(
    settings: Settings, how: Break, step: int
):
    async def break_everywhere() -> None:
        async with reading_through(settings) as (line, reader):
            assert await read(reader) == ROWS
        for breaks_after in range(0, line.n_said, step):
            async with reading_through(settings) as (line, reader):
                line.how, line.breaks_after = how, breaks_after
                assert await read(reader) in (ROWS, None), breaks_after
                line.breaks_after = None
                assert await read(reader) == ROWS, f"still lost after {breaks_after} bytes"

    asyncio.run(break_everywhere())


def test_a_server_that_falls_silent_is_unavailable(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    async def fall_silent() -> None:
        async with reading_through(settings) as (line, reader):
            assert await read(reader) == ROWS
            monkeypatch.setattr(database, "ANSWER_SECONDS", 0.1)
            monkeypatch.setattr(database, "CONNECT_SECONDS", 0.1)
            pool, reader._pool = reader._pool, None
            pool.terminate()
            line.how, line.breaks_after = "silent", line.n_said - 40
            assert await read(reader) is None

    asyncio.run(fall_silent())


def test_all_who_wait_for_a_server_that_is_silent_wait_for_the_same_connection(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.5)

    async def crowd() -> int:
        async with reading_through(settings) as (line, reader):
            line.how, line.breaks_after = "silent", 1
            assert await asyncio.gather(*(read(reader) for _ in range(200))) == [None] * 200
            return line.n_connections

    assert asyncio.run(crowd()) == 1


def test_reads_side_by_side_survive_that_all_connections_are_ended_again_and_again(settings: Settings):
    async def storm() -> list[list[dict[str, int]] | None]:
        reader, found = Reader(settings), []
        with open_url(settings.admin_url, autocommit=True) as admin:
            for _ in range(10):
                reads = [asyncio.create_task(read(reader)) for _ in range(2 * database.N_CONNECTIONS)]
                await asyncio.sleep(0)
                await asyncio.to_thread(
                    admin.execute,
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where application_name = 'touchline-api' and datname = %s",
                    (settings.warehouse_database,),
                )
                found += await asyncio.gather(*reads)
        assert await read(reader) == ROWS
        await reader.close()
        return found

    found = asyncio.run(storm())
    assert all(each in (ROWS, None) for each in found)
    assert ROWS in found


def test_all_who_wait_for_their_turn_are_told_when_the_server_is_silent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "CONNECT_SECONDS", 0.5)
    query = "select number as key from unnest($1::int[]) as number"

    async def crowd() -> tuple[list[Any], int]:
        async with reading_through(settings) as (line, reader):
            line.how, line.breaks_after = "silent", 1
            first = asyncio.create_task(reader.by_key(query, 0))
            while not line.n_connections:
                await asyncio.sleep(0.01)
            # Among them who asks for what the first is asking for already.
            asking = (reader.by_key(query, number) for number in range(5 * database.MOST_IN_BATCH))
            found = await asyncio.gather(first, *asking, return_exceptions=True)
            line.breaks_after = None
            monkeypatch.setattr(database, "CONNECT_SECONDS", LONG_ENOUGH)
            row = await reader.by_key(query, 7)
            assert row is not None
            assert row["key"] == 7
            return found, line.n_connections

    found, n_connections = asyncio.run(crowd())
    assert {type(each) for each in found} == {DatabaseUnavailable}
    # One to wait for, one that answers.
    assert n_connections == 2


@pytest.mark.parametrize(
    ("closing", "opening"),
    [
        ("allow_connections false", "allow_connections true"),
        ("connection limit 0", "connection limit -1"),
    ],
)
def test_a_database_that_lets_nobody_in_is_unavailable_until_it_does(
    settings: Settings, closing: str, opening: str
):
    async def knock() -> None:
        reader = Reader(settings)
        with open_url(settings.admin_url, autocommit=True) as admin:
            admin.execute(f"alter database {settings.warehouse_database} with {closing}")
            assert await read(reader) is None
            admin.execute(f"alter database {settings.warehouse_database} with {opening}")
        assert await read(reader) == ROWS
        await reader.close()

    asyncio.run(knock())


def test_an_error_of_a_query_is_not_taken_for_a_lost_connection(settings: Settings):
    async def ask() -> None:
        reader = Reader(settings)
        try:
            await reader.rows("select 1 / 0")
        finally:
            await reader.close()

    with pytest.raises(asyncpg.DivisionByZeroError):
        asyncio.run(ask())
