"""The API's only way to the database: a pool of read-only connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from touchline.errors import DatabaseUnavailable
from touchline.settings import Settings

STATEMENT_TIMEOUT = "5s"


class Reader:
    """Reads with the role `touchline_api`, in read-only sessions with a statement timeout.

    Connects on first use and again after the database was away, so the API may start before it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None

    async def rows(self, query: str, *parameters: Any) -> list[Mapping[str, Any]]:
        """All rows. Raises DatabaseUnavailable when nothing answers."""
        try:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._settings.url("api"),
                    min_size=1,
                    max_size=10,
                    timeout=5,
                    server_settings={
                        "default_transaction_read_only": "on",
                        "statement_timeout": STATEMENT_TIMEOUT,
                        "application_name": "touchline-api",
                    },
                )
            return list(await self._pool.fetch(query, *parameters))
        except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, TimeoutError) as error:
            await self.close()
            raise DatabaseUnavailable("the database does not answer; see `touchline doctor`") from error

    async def row(self, query: str, *parameters: Any) -> Mapping[str, Any] | None:
        """The first row, or None."""
        found = await self.rows(query, *parameters)
        return found[0] if found else None

    async def close(self) -> None:
        """Drop all connections; the next read connects again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()
