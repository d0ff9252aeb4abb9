"""What keys were used for: counted a key, minute, route and status in each process of the API, written every second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from uuid import UUID, uuid4

from touchline.accounts.key_cache import Fetch
from touchline.database.queries import query

MINUTE = 60

# Prefix, minute (since 1970), route, status.
_Use = tuple[str, int, str, int]


class Uses:
    """The counters of one process. What it has written it can write again: rows say how much it has counted so far."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time) -> None:
        self._fetch = fetch
        self._clock = clock
        self._process: UUID = uuid4()
        self._counts: dict[_Use, int] = {}
        self._unwritten: set[_Use] = set()

    def note(self, prefix: str, route: str, status: int) -> None:
        """Count one use."""
        use = (prefix, int(self._clock()) // MINUTE, route, status)
        self._counts[use] = self._counts.get(use, 0) + 1
        self._unwritten.add(use)

    async def write(self) -> None:
        """Write what is new. Whatever is raised, nothing is lost: it is written the next time."""
        if not self._unwritten:
            return
        unwritten, self._unwritten = self._unwritten, set()
        uses = [(use, self._counts[use]) for use in unwritten]
        try:
            await self._fetch(
                query("accounts/sql/record_uses"),
                self._process,
                [use[0] for use, _ in uses],
                [datetime.fromtimestamp(use[1] * MINUTE, UTC) for use, _ in uses],
                [use[2] for use, _ in uses],
                [use[3] for use, _ in uses],
                [n for _, n in uses],
            )
        except BaseException:
            self._unwritten |= unwritten
            raise
        now = int(self._clock()) // MINUTE
        self._counts = {use: n for use, n in self._counts.items() if use[1] >= now or use in self._unwritten}
