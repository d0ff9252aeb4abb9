"""The API's clock: the only place where the server process reads it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from touchline.clock import live_clock
from touchline.errors import SourceUnavailable
from touchline.sandbox import read_clock
from touchline.settings import Settings

# Gives the run clock's present (UTC), or None while it cannot be known.
Present = Callable[[], Awaitable[datetime | None]]

KEPT_SECONDS = 1.0
# Every request waits meanwhile: of a machine that is gone nothing comes, not even a refusal.
ANSWER_SECONDS = 1.0


def present_of(settings: Settings) -> Present:
    """The clock that these settings ask for: a given `as_of`, the simulated world's, or the wall clock."""
    if settings.as_of is None and settings.is_simulated:
        return SimulatedPresent(settings)

    async def present() -> datetime:
        return settings.as_of or live_clock().as_of

    return present


class SimulatedPresent:
    """The clock of the running simulated world, asked at most once a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asking = asyncio.Lock()
        self._asked: float | None = None
        self._answer: asyncio.Task[datetime | None] | None = None
        self._now: datetime | None = None

    async def __call__(self) -> datetime | None:
        """The world's present (UTC); None while the world is not running, or does not answer in time."""
        async with self._asking:
            if self._asked is None or time.monotonic() - self._asked > KEPT_SECONDS:
                self._now = await self._answered()
                self._asked = time.monotonic()
            return self._now

    async def _answered(self) -> datetime | None:
        # Nothing ends a thread that looks up a name, for which a resolver may take its time: one question at a time.
        if self._answer is None:
            self._answer = asyncio.create_task(asyncio.to_thread(self._ask))
        done, _ = await asyncio.wait({self._answer}, timeout=ANSWER_SECONDS)
        if not done:
            return None
        answer, self._answer = self._answer.result(), None
        return answer

    def _ask(self) -> datetime | None:
        try:
            return read_clock(self._settings.sandbox_address)
        except SourceUnavailable:
            return None
