"""What providers say about their limits. The sandbox counts and is generous; it refuses only when a fault says so."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API

MINUTE: Final = 60.0
# The largest plans on offer: credits a month at The Odds API, calls a day at API-Football.
CREDITS_A_MONTH: Final = 15_000_000
CALLS_A_DAY: Final = 1_500_000


class Meters:
    """Calls in the current minute of real time, credits in the current day or month of the world's time."""

    def __init__(self, calls_per_minute: float, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._limit = int(calls_per_minute)
        self._elapsed = elapsed
        self._calls: Counter[tuple[str, int]] = Counter()
        self._credits: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def headers(self, source: str, cost: int, now: datetime) -> Mapping[str, str]:
        """Count one call of `cost` credits at `now` (UTC) and say what is left, in the provider's headers."""
        elapsed = self._elapsed()
        minute = (source, int(elapsed // MINUTE))
        period = (source, f"{now:%Y-%m-%d}" if source == API_FOOTBALL else f"{now:%Y-%m}")
        with self._lock:
            # Earlier minutes are of no use any more.
            self._calls = Counter({key: n for key, n in self._calls.items() if key[1] == minute[1]})
            self._calls[minute] += 1
            self._credits[period] += cost
            calls, used = self._calls[minute], self._credits[period]
        left = max(0, self._limit - calls)
        if source == FOOTBALL_DATA_ORG:
            return {
                "X-API-Version": "v4",
                "X-Authenticated-Client": "sandbox",
                "X-Requests-Available-Minute": str(left),
                "X-RequestCounter-Reset": str(int(MINUTE - elapsed % MINUTE) + 1),
            }
        if source == THE_ODDS_API:
            return {
                "x-requests-remaining": str(max(0, CREDITS_A_MONTH - used)),
                "x-requests-used": str(used),
                "x-requests-last": str(cost),
            }
        if source == API_FOOTBALL:
            return {
                "x-ratelimit-requests-limit": str(CALLS_A_DAY),
                "x-ratelimit-requests-remaining": str(max(0, CALLS_A_DAY - used)),
                "X-RateLimit-Limit": str(self._limit),
                "X-RateLimit-Remaining": str(left),
            }
        return {}
