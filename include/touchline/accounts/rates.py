"""How often somebody may ask: counted in each process of the API, and settled among all a few times a second.

A limit is N requests a window; windows begin at whole multiples of their length since 1970, on every machine alike. A
process lets a request in when what it knows leaves room: what all had counted when it last settled, and what it has
counted since. So all together let in at most the limit and, for each process but one, what came to it within
SETTLE_SECONDS.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil
from typing import Protocol

from limits import RateLimitItem, parse_many
from limits.aio.storage import RedisStorage

from touchline.accounts.key_cache import Fetch
from touchline.database.queries import query
from touchline.settings import NO_LIMIT

SETTLE_SECONDS = 0.25
FORGET_SECONDS = 60.0


@dataclass(frozen=True)
class Count:
    """So many requests, not told before, in the window of a limit that is called `name` and ends then (UTC)."""

    name: str
    ends: float
    n: int


class SharedCounts(Protocol):
    """Where all processes count together."""

    async def add(self, counts: Sequence[Count]) -> Sequence[int]:
        """Add to the counters; gives what each then holds, in the same order."""

    async def forget(self, now: float) -> None:
        """Remove counters whose windows ended before `now`."""


class CountsInPostgres:
    """Counters in `ops.api_rate`."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def add(self, counts: Sequence[Count]) -> Sequence[int]:
        """One statement for all."""
        found = await self._fetch(
            query("accounts/sql/count_requests"),
            [count.name for count in counts],
            [datetime.fromtimestamp(count.ends, UTC) for count in counts],
            [count.n for count in counts],
        )
        totals = {row["name"]: row["n"] for row in found}
        return [totals[count.name] for count in counts]

    async def forget(self, now: float) -> None:
        """One statement."""
        await self._fetch("delete from ops.api_rate where ends_at < $1", datetime.fromtimestamp(now, UTC))


class CountsInRedis:
    """Counters in Redis, which forgets them by itself; `installation` keeps them from those of others."""

    def __init__(self, url: str, installation: str) -> None:
        self._storage = RedisStorage(
            f"async+{url}",
            implementation="redispy",
            key_prefix=installation,
            socket_timeout=1,
            socket_connect_timeout=1,
        )

    async def add(self, counts: Sequence[Count]) -> Sequence[int]:
        """All at once, each in one round trip."""
        now = time.time()
        return await asyncio.gather(
            *(
                self._storage.incr(count.name, max(1, round(count.ends - now) + 1), amount=count.n)
                for count in counts
            )
        )

    async def forget(self, now: float) -> None:
        """Nothing to do."""


class Window:
    """What is known in this process of one limit for one key or address."""

    __slots__ = ("_policy", "ends", "limit", "n", "name", "seconds", "subject", "unsettled")

    def __init__(self, subject: str, limit: RateLimitItem) -> None:
        self.subject = subject
        self.limit = limit
        self.seconds = limit.get_expiry()
        self.ends = 0.0
        self.n = self.unsettled = 0
        self.name = ""
        self._policy = b'"touchline";q=%d;w=%d' % (limit.amount, self.seconds)

    def move_to(self, now: float) -> None:
        """Begin the window that holds `now`."""
        number = int(now // self.seconds)
        self.ends = float((number + 1) * self.seconds)
        self.n = self.unsettled = 0
        self.name = self.limit.key_for(self.subject, number)

    @property
    def left(self) -> int:
        """Requests that still find room."""
        return max(0, self.limit.amount - self.n)

    def seconds_left(self, now: float) -> int:
        """Until the window ends, at least 1."""
        return max(1, ceil(self.ends - now))

    def headers(self, now: float) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """What a reply says of the limit, as structured fields (draft-ietf-httpapi-ratelimit-headers-10)."""
        left = b'"touchline";r=%d;t=%d' % (self.left, self.seconds_left(now))
        return (b"ratelimit-policy", self._policy), (b"ratelimit", left)


def _room(window: Window) -> int:
    return window.limit.amount - window.n


@lru_cache(maxsize=1024)
def limits_of(text: str | None) -> tuple[RateLimitItem, ...]:
    """The limits that a text like `10/second;600/minute` means; none for `none`.

    Raises ValueError for what is no limit.
    """
    return () if text is None or text == NO_LIMIT else tuple(parse_many(text))


class Rates:
    """The counters of one process."""

    def __init__(self, shared: SharedCounts, clock: Callable[[], float] = time.time) -> None:
        self._shared = shared
        self._clock = clock
        self._windows: dict[str, tuple[tuple[RateLimitItem, ...], list[Window]]] = {}
        self._touched: set[Window] = set()
        self._forgets_at = 0.0

    def tightest(self, subject: str, limits: tuple[RateLimitItem, ...]) -> Window:
        """The limit that leaves a key or address the least room now; `limits` holds at least one."""
        return min(self._current(subject, limits), key=_room)

    def admit(self, subject: str, limits: tuple[RateLimitItem, ...]) -> tuple[bool, Window]:
        """Count a request unless a limit is reached; gives whether there was room, and the limit nearest to its end.

        `limits` holds at least one. A request that is refused does not count.
        """
        windows = self._current(subject, limits)
        tightest = windows[0] if len(windows) == 1 else min(windows, key=_room)
        if tightest.n >= tightest.limit.amount:
            return False, tightest
        for window in windows:
            window.n += 1
            window.unsettled += 1
            self._touched.add(window)
        return True, tightest

    def _current(self, subject: str, limits: tuple[RateLimitItem, ...]) -> list[Window]:
        now, known = self._clock(), self._windows.get(subject)
        if known is None or known[0] is not limits:
            known = self._windows[subject] = limits, self._with_limits(subject, limits)
        for window in known[1]:
            if now >= window.ends:
                window.move_to(now)
        return known[1]

    async def settle(self) -> None:
        """Tell the others what was counted here, and learn what they have counted.

        Whatever is raised, nothing counted here is lost: the next settlement tells it, unless the window is over.
        """
        now = self._clock()
        told = [(window, window.unsettled) for window in self._touched if window.ends > now]
        self._touched.clear()
        counts = [Count(window.name, window.ends, n) for window, n in told]
        for window, n in told:
            window.unsettled -= n
        if counts:
            try:
                totals = await self._shared.add(counts)
            except BaseException:
                for (window, n), count in zip(told, counts, strict=True):
                    if window.name == count.name:
                        window.unsettled += n
                        self._touched.add(window)
                raise
            for (window, _), count, total in zip(told, counts, totals, strict=True):
                if window.name == count.name:
                    window.n = total + window.unsettled
        if now >= self._forgets_at:
            self._forgets_at = now + FORGET_SECONDS
            self._windows = {
                subject: known
                for subject, known in self._windows.items()
                if any(window.ends > now for window in known[1])
            }
            await self._shared.forget(now)

    def _with_limits(self, subject: str, limits: tuple[RateLimitItem, ...]) -> list[Window]:
        """Windows for limits that are new for a subject; what was counted for one that stays goes on."""
        before = self._windows.get(subject, ((), []))[1]
        return [
            next((window for window in before if window.limit == limit), None) or Window(subject, limit)
            for limit in dict.fromkeys(limits)
        ]
