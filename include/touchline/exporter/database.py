"""The exporter's way to a database: one read-only connection, kept from one scrape to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg

from touchline.errors import DatabaseUnavailable
from touchline.serving.database import Row, is_lost

CONNECT_SECONDS: Final = 2.0
# A server that is frozen, or gone from the network, heeds no statement timeout.
GRACE_SECONDS: Final = 0.5


class Database:
    """Reads with the role `touchline_metrics`; a connection that was lost is made anew with the next reading."""

    def __init__(self, url: Callable[[], str]) -> None:
        """`url` gives the address, which may be another one after a restart of the server."""
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._timeout = ""

    async def rows(self, query: str, parameters: Sequence[Any], seconds: float) -> Sequence[Row]:
        """All rows, within so many seconds. Raises DatabaseUnavailable or asyncpg.PostgresError."""
        if self._connection is not None:
            try:
                return await self._read(query, parameters, seconds)
            except TimeoutError as error:
                raise self._lost(error) from error
            except Exception as error:
                if not self._is_lost(error):
                    raise
                # A restarted server has ended it: once more, on a new one.
                self.close()
        try:
            await self._connect()
            return await self._read(query, parameters, seconds)
        except Exception as error:
            if not self._is_lost(error):
                raise
            raise self._lost(error) from error

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connect(self) -> None:
        self._timeout = ""
        self._connection = await asyncpg.connect(
            self._url(),
            timeout=CONNECT_SECONDS,
            server_settings={
                "timezone": "UTC",
                "default_transaction_read_only": "on",
                "application_name": "touchline-exporter",
                # To compile these queries takes longer than to run them; and no scrape takes a second core.
                "jit": "off",
                "max_parallel_workers_per_gather": "0",
            },
        )

    async def _read(self, query: str, parameters: Sequence[Any], seconds: float) -> Sequence[Row]:
        assert self._connection is not None, "the caller has connected"
        # 0 would be for ever.
        timeout, limit = f"{max(1, round(1000 * seconds))}ms", seconds + GRACE_SECONDS
        if timeout != self._timeout:
            await self._connection.execute(
                "select set_config('statement_timeout', $1, false)", timeout, timeout=limit
            )
            self._timeout = timeout
        return list(await self._connection.fetch(query, *parameters, timeout=limit))

    def _is_lost(self, error: Exception) -> bool:
        # So are called errors of a connection that is none any more, and those of a query with wrong parameters.
        is_ours = isinstance(error, asyncpg.InterfaceError)
        return is_lost(error) and not (
            is_ours and self._connection is not None and not self._connection.is_closed()
        )

    def _lost(self, error: Exception) -> DatabaseUnavailable:
        self.close()
        said = str(error).strip().partition("\n")[0]
        return DatabaseUnavailable(
            f"the database does not answer ({type(error).__name__}{': ' if said else ''}{said}): start it with "
            "`touchline up`, see `touchline doctor`"
        )
