"""The API's only way to the database: a pool of read-only connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg

from touchline.errors import DatabaseUnavailable
from touchline.settings import Role, Settings

STATEMENT_TIMEOUT = "5s"
CONNECT_SECONDS = 5
# A server that is frozen, or gone from the network, heeds no statement timeout.
ANSWER_SECONDS = 6
N_CONNECTIONS = 10
# Who comes next waits for a whole batch: of larger ones for each, of smaller ones for many.
MOST_IN_BATCH = 128

Row = Mapping[str, Any]

# A new connection may work after these, and after whatever ends a session.
LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # A connection that was closed while the pool prepared it.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InsufficientResourcesError,
)


class Reader:
    """Reads with the role `touchline_api`, in read-only sessions with a statement timeout.

    With the role `access` it also writes: what is to be written twice without harm, because it tries once more.
    It connects on first use, and reconnects when the database comes back, so the API may start first.
    """

    def __init__(self, settings: Settings, role: Role = "api") -> None:
        self._settings = settings
        self._role = role
        self._pool: asyncpg.Pool | None = None
        self._connecting: asyncio.Future[asyncpg.Pool] | None = None
        # By query and parameters: what waits for the next batch, by key.
        self._waiting: dict[tuple[Any, ...], dict[Any, asyncio.Future[Row | None]]] = {}
        self._batches: set[asyncio.Task[None]] = set()

    async def rows(self, query: str, *parameters: Any) -> list[Row]:
        """All rows. Raises DatabaseUnavailable when the database does not answer in time."""
        try:
            return await self._fetch(query, parameters)
        except asyncpg.QueryCanceledError as error:
            raise DatabaseUnavailable(
                f"the database took longer than {STATEMENT_TIMEOUT}: ask for less, or try again later"
            ) from error
        except Exception as error:
            if not is_lost(error):
                raise
            raise DatabaseUnavailable(
                f"the database does not answer ({type(error).__name__}): start it with `touchline up`, "
                "see `touchline doctor`"
            ) from error

    async def row(self, query: str, *parameters: Any) -> Row | None:
        """The first row, or None."""
        found = await self.rows(query, *parameters)
        return found[0] if found else None

    async def by_key(self, query: str, key: Any, *parameters: Any) -> Row | None:
        """The row whose column `key` is this key, or None; the query takes an array of keys as $1.

        Who asks while the database answers others is asked for with all who wait, in one query. Raises
        DatabaseUnavailable when the database does not answer in time.
        """
        batch = (query, *parameters)
        is_running = batch in self._waiting
        waiting = self._waiting.setdefault(batch, {})
        if key not in waiting:
            waiting[key] = asyncio.get_running_loop().create_future()
        answer = waiting[key]
        if not is_running:
            task = asyncio.create_task(self._run_batches(batch))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)
        return await asyncio.shield(answer)

    async def _run_batches(self, batch: tuple[Any, ...]) -> None:
        query, *parameters = batch
        while waiting := self._waiting[batch]:
            keys = list(waiting)[:MOST_IN_BATCH]
            asked = {key: waiting.pop(key) for key in keys}
            try:
                found = {row["key"]: row for row in await self.rows(query, keys, *parameters)}
            except BaseException as error:
                answers = list(asked.values())
                if isinstance(error, DatabaseUnavailable):
                    # For those behind them too: batch after batch of a crowd would wait for ever.
                    answers += waiting.values()
                    waiting.clear()
                for answer in answers:
                    if not answer.done():
                        answer.set_exception(error)
                        # Whoever asked may have gone.
                        answer.exception()
                if not isinstance(error, Exception):
                    del self._waiting[batch]
                    raise
            else:
                for key, answer in asked.items():
                    answer.set_result(found.get(key))
        del self._waiting[batch]

    async def close(self) -> None:
        """Drop all connections; the next read connects again."""
        if self._pool is not None:
            self._drop(self._pool)

    async def _fetch(self, query: str, parameters: tuple[Any, ...]) -> list[Row]:
        pool = await self._connected()
        try:
            return await _answer(pool, query, parameters)
        except Exception as error:
            if not is_lost(error):
                raise
            self._drop(pool)
        # A restarted server breaks every idle connection, so try once more on a new one.
        return await _answer(await self._connected(), query, parameters)

    async def _connected(self) -> asyncpg.Pool:
        """The pool. Who comes while one is made waits for the same attempt: one after the other would wait for ever."""
        if self._pool is not None:
            return self._pool
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> asyncpg.Pool:
        try:
            self._pool = await asyncpg.create_pool(
                self._settings.url(self._role),
                min_size=1,
                max_size=N_CONNECTIONS,
                timeout=CONNECT_SECONDS,
                command_timeout=ANSWER_SECONDS,
                # Nothing here leaves a trace in its session, so that going over it costs a round trip for nothing.
                reset=_leave,
                server_settings={
                    "timezone": "UTC",
                    "default_transaction_read_only": "on" if self._role == "api" else "off",
                    # Filters that are not given leave a plan for all filters blind: a hundred times slower.
                    "plan_cache_mode": "force_custom_plan",
                    "statement_timeout": STATEMENT_TIMEOUT,
                    "application_name": "touchline-api",
                },
            )
            return self._pool
        finally:
            self._connecting = None

    def _drop(self, pool: asyncpg.Pool) -> None:
        if pool is self._pool:
            self._pool = None
        pool.terminate()


async def _leave(_: Any) -> None:
    """What is done to a connection when it is given back."""


async def _answer(pool: asyncpg.Pool, query: str, parameters: tuple[Any, ...]) -> list[Row]:
    # The time for taking a connection is also that for giving it back.
    async with pool.acquire(timeout=ANSWER_SECONDS) as connection:
        return list(await connection.fetch(query, *parameters))


def is_lost(error: Exception) -> bool:
    """True when the connection is lost, or none could be made; a new one may work."""
    if isinstance(error, asyncpg.QueryCanceledError):
        return False
    # Whatever its code, an error of this severity is the last word of a session.
    is_last = isinstance(error, asyncpg.PostgresError) and error.severity_en in ("FATAL", "PANIC")
    return is_last or isinstance(error, LOST)
