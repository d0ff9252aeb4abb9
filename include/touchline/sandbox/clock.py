"""The clock of the simulated world: kept in a file, read and moved over HTTP, never backwards."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from touchline.errors import SourceUnavailable

# A Friday afternoon: the weekend's prices are collected, its first match is still to be played.
BEGINNING = datetime(2026, 3, 13, 16, 0, tzinfo=UTC)


class WorldClock:
    """`now` of a simulated world (UTC), persistent in `path`."""

    def __init__(self, path: Path, beginning: datetime = BEGINNING) -> None:
        self._path = path
        self._now = beginning
        if path.exists():
            self._now = datetime.fromisoformat(json.loads(path.read_text())["now"])

    @property
    def now(self) -> datetime:
        """The present of the simulated world."""
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move forward; raises ValueError for a step back, because what was seen cannot be unseen."""
        if moment < self._now:
            raise ValueError(f"the clock stands at {self._now.isoformat()} and only moves forward")
        self._now = moment.astimezone(UTC)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"now": self._now.isoformat()}))
        draft.replace(self._path)


def read_clock(address: str) -> datetime:
    """The present (UTC) of the world served at `address`; raises SourceUnavailable when nothing answers."""
    return datetime.fromisoformat(call("GET", address, "clock")["now"])


def advance_clock(address: str, days: float) -> datetime:
    """Move the world served at `address` forward by `days` and return its present."""
    return datetime.fromisoformat(call("POST", address, "clock", {"advance_days": days})["now"])


def call(method: str, address: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the world served at `address` itself, not a provider in it; raises SourceUnavailable."""
    try:
        # It speaks plain HTTP; loading certificate authorities would take ten times as long as its answer.
        reply = httpx.request(method, f"{address}/{path}", json=body, timeout=10, verify=False)  # noqa: S501
    except httpx.TransportError as error:
        raise SourceUnavailable(
            f"the sandbox does not answer at {address} ({error}); start it with `touchline up`"
        ) from error
    if reply.status_code != httpx.codes.OK:
        raise SourceUnavailable(f"the sandbox at {address} refused: {reply.text}")
    answer: dict[str, Any] = reply.json()
    return answer
