"""What can go wrong between a provider and its reader: named switches, on at a rate, off at once.

Whether a fault hits a request follows from the seed, the request and how often it was made since the faults were
switched on, never from when one asks: a retry may pass where the first attempt did not. The state is not kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from touchline.sandbox.chance import unit
from touchline.sandbox.clock import call
from touchline.sources.simulated import PREFIXES, UK_FILES

DEFAULT_RATE: Final = 0.3
SLOW_SECONDS: Final = 0.2
LONGEST_SECONDS: Final = 60.0
ALL, NONE = "all", "none"
PROVIDERS: Final = (UK_FILES, *PREFIXES)


class Fault(StrEnum):
    """The faults by name."""

    RATE_LIMITED = "rate_limited"
    """Too many requests, in the provider's own words."""
    QUOTA_SPENT = "quota_spent"
    """No credits left: 401 (The Odds API), 200 with errors (API-Football), 429 (football-data.org)."""
    SERVER_ERRORS = "server_errors"
    """500, 502 or 503."""
    SLOW = "slow"
    """A pause before the body."""
    CUT = "cut"
    """The connection closes in the middle of the body; of a CSV file in the middle of a row."""
    HTML = "html"
    """200 with a web page."""
    INVALID_JSON = "invalid_json"
    """A body that cannot be read; a CSV file that ends within a row, or has an open quote or junk in it."""
    RENAMED_FIELDS = "renamed_fields"
    """One field or column is called otherwise."""
    MISSING_FIELDS = "missing_fields"
    """One field is missing in every other match; one column is gone."""
    VANISHED_BOOKMAKER = "vanished_bookmaker"
    """One bookmaker has no prices."""
    CORRECTIONS = "corrections"
    """The rate is the share of scores and prices that are told wrong for a day after they appear, then right."""
    DUPLICATE_PAGES = "duplicate_pages"
    """The page before once more, and matches or rows twice."""
    REORDERED = "reordered"
    """Pages, matches, rows and what is in them in another order."""
    CLOCK_SKEW = "clock_skew"
    """Times of headers and updates are 90 minutes early or late; a file's validators are those of another body."""


@dataclass(frozen=True)
class Draw:
    """The faults drawn for one request; `dice` settles how each of them looks."""

    faults: frozenset[Fault]
    dice: tuple[object, ...]


class FaultBoard:
    """Which faults are on, at what rate, and how often each has hit. Safe for threads."""

    def __init__(self, seed: int, slow_seconds: float = SLOW_SECONDS) -> None:
        self._seed = seed
        self._rates: dict[Fault, float] = {}
        self._sources: dict[Fault, str] = {}
        self._slow_seconds = slow_seconds
        self._asked: Counter[str] = Counter()
        self._hits: Counter[Fault] = Counter()
        self._lock = threading.Lock()

    @property
    def slow_seconds(self) -> float:
        """The pause of `slow`."""
        return self._slow_seconds

    def rate(self, fault: Fault) -> float:
        """0 when the fault is off."""
        return self._rates.get(fault, 0.0)

    def switch(
        self,
        name: str,
        rate: float = DEFAULT_RATE,
        slow_seconds: float | None = None,
        source: str | None = None,
    ) -> None:
        """Set one fault, or `all`, to `rate` (0 is off), or all off with `none`; the others stay as they are.

        Only requests to `source` are hit, or those to all sources without it. Raises ValueError for a name or number
        that cannot be.
        """
        if not 0 <= rate <= 1:
            raise ValueError(f"a rate lies between 0 and 1, not at {rate}")
        if slow_seconds is not None and not 0 <= slow_seconds <= LONGEST_SECONDS:
            raise ValueError(f"a pause lasts from 0 to {LONGEST_SECONDS:.0f} seconds, not {slow_seconds}")
        if name not in (ALL, NONE, *Fault):
            raise ValueError(
                f"there is no fault {name!r}; there are {', '.join(Fault)}, {ALL} (of them) and {NONE}"
            )
        if source is not None and source not in PROVIDERS:
            raise ValueError(f"there is no source {source!r}; there are {', '.join(PROVIDERS)}")
        chosen = tuple(Fault) if name in (ALL, NONE) else (Fault(name),)
        new = 0.0 if name == NONE else rate
        with self._lock:
            rates = {**self._rates, **dict.fromkeys(chosen, new)}
            self._rates = {fault: kept for fault, kept in rates.items() if kept > 0}
            sources = {**self._sources, **dict.fromkeys(chosen, source)}
            self._sources = {fault: kept for fault, kept in sources.items() if kept is not None}
            if slow_seconds is not None:
                self._slow_seconds = slow_seconds
            if not self._rates:
                self._asked.clear()

    def draw(self, label: str) -> Draw:
        """The faults that hit the next request of this label."""
        with self._lock:
            if not self._rates:
                return Draw(frozenset(), ())
            turn = self._asked[label]
            self._asked[label] += 1
            rates = {
                fault: rate for fault, rate in self._rates.items()
                if label.startswith(self._sources.get(fault, ""))
            }  # fmt: skip
        hit = (fault for fault, rate in rates.items() if unit(self._seed, fault, label, turn) < rate)
        return Draw(frozenset(hit), (self._seed, label, turn))

    def record(self, faults: frozenset[Fault]) -> None:
        """Count hits."""
        with self._lock:
            self._hits.update(faults)

    def state(self) -> dict[str, Any]:
        """Rates of the faults that are on and the source that one is limited to, hits since the server started, and
        the pause of `slow` in seconds.
        """
        with self._lock:
            return {
                "faults": {fault.value: self._rates[fault] for fault in Fault if fault in self._rates},
                "sources": {fault.value: self._sources[fault] for fault in Fault if fault in self._sources},
                "hits": {fault.value: self._hits[fault] for fault in Fault},
                "slow_seconds": self._slow_seconds,
            }


def read_option(text: str) -> tuple[str, float]:
    """`cut:0.5` -> ("cut", 0.5); the rate may be left out. Raises ValueError for a rate that is no number."""
    name, colon, rate = text.partition(":")
    return name, float(rate) if colon else DEFAULT_RATE


def read_faults(address: str) -> dict[str, Any]:
    """The state of the faults of the world served at `address`; raises SourceUnavailable."""
    return call("GET", address, "faults")


def switch_fault(
    address: str,
    name: str,
    rate: float = DEFAULT_RATE,
    slow_seconds: float | None = None,
    source: str | None = None,
) -> dict[str, Any]:
    """Switch faults of the world served at `address` and return their state; raises SourceUnavailable."""
    return call(
        "POST",
        address,
        "faults",
        {"name": name, "rate": rate, "slow_seconds": slow_seconds, "source": source},
    )
