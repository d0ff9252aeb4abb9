"""What all requests of one server share: the connections, the clock, and what is read at most once a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from fastapi import Request

from touchline.database.queries import query
from touchline.errors import DatabaseUnavailable
from touchline.serving.database import Reader
from touchline.serving.present import Present
from touchline.settings import Settings

NO_PRESENT = "the simulated world's clock does not answer and no run has been recorded: run `touchline up`"


class Memo:
    """Values that are read again when they are older than `seconds`; who asks meanwhile waits for the same reading."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._read: dict[str, tuple[float, asyncio.Future[Any]]] = {}

    async def get(self, name: str, read: Callable[[], Awaitable[Any]]) -> Any:
        """The value; raises what reading it raises."""
        at, reading = self._read.get(name, (0.0, None))
        if reading is None or (reading.done() and time.monotonic() - at >= self._seconds):
            reading = asyncio.ensure_future(read())
            self._read[name] = time.monotonic(), reading
        return await asyncio.shield(reading)


@dataclass(frozen=True)
class Moment:
    """The present (UTC), and when the tables and the ledger were last written by the wall clock, as HTTP writes it."""

    as_of: datetime
    modified: str | None


@dataclass(frozen=True)
class Serving:
    """One server; `reader` reads football, `accounts` profiles."""

    settings: Settings
    reader: Reader
    accounts: Reader
    present: Present
    memo: Memo

    async def moment(self) -> Moment:
        """The present: the run clock's, or that of the newest run where it is later or the clock does not answer.

        Raises DatabaseUnavailable when there is neither.
        """
        moment: Moment = await self.memo.get("moment", self._moment)
        return moment

    async def competitions(self) -> dict[str, str]:
        """The competitions that have matches: names by code."""
        return await self._names("competitions", "select competition as key, name from core.competition")

    async def teams(self) -> dict[str, str]:
        """The teams: names by id."""
        return await self._names("teams", "select team_id::text as key, name from core.team")

    async def _moment(self) -> Moment:
        row = await self.reader.row(query("serving/sql/present"), await self.present())
        if row is None or row["as_of"] is None:
            raise DatabaseUnavailable(NO_PRESENT)
        written = row["written_at"]
        return Moment(row["as_of"], None if written is None else format_datetime(written, usegmt=True))

    async def _names(self, what: str, statement: str) -> dict[str, str]:
        async def read() -> dict[str, str]:
            found = await self.reader.rows(f"{statement} order by 1")
            return {row["key"]: row["name"] for row in found}

        names: dict[str, str] = await self.memo.get(what, read)
        return names


def serving_of(request: Request) -> Serving:
    """The server that a request came to."""
    serving: Serving = request.app.state.serving
    return serving
