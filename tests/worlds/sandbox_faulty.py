"""A simulated world on loopback that can be told to fail, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from simulated_world import simulated_world
from touchline.sandbox.faults import Fault, read_faults, switch_fault
from touchline.sources.simulated import (
    API_FOOTBALL,
    FOOTBALL_DATA_ORG,
    THE_ODDS_API,
    UK_FILES,
    provider_address,
)

SECRET = "key-that-nobody-may-see"
FILE = "mmz4281/2526/X1.csv"
TARGETS = {
    UK_FILES: FILE,
    FOOTBALL_DATA_ORG: "competitions/XPL/matches?season=2025",
    THE_ODDS_API: f"sports/soccer_xanadu_premier/odds?apiKey={SECRET}&markets=h2h,totals&regions=uk,eu",
    API_FOOTBALL: "odds?league=9001&page=2&season=2025",
}


class FaultyServer:
    """A running sandbox and a reader of it."""

    def __init__(self, address: str, client: httpx.Client) -> None:
        self.address = address
        self._client = client

    def ask(self, source: str, target: str | None = None, **headers: str) -> httpx.Response:
        address = provider_address(self.address, source)
        return self._client.get(f"{address}/{target or TARGETS[source]}", headers=headers)

    def spoilt(self, fault: Fault, source: str) -> tuple[httpx.Response, httpx.Response]:
        """A reply without and with a fault that always hits; checks that it is counted and stops at once."""
        before = self.ask(source)
        hits = read_faults(self.address)["hits"][fault]
        assert switch_fault(self.address, fault, 1.0)["faults"] == {fault: 1.0}
        during = self.ask(source)
        assert read_faults(self.address)["hits"][fault] == hits + 1
        assert switch_fault(self.address, "none")["faults"] == {}
        after = self.ask(source)
        assert (after.status_code, after.content) == (before.status_code, before.content)
        return before, during


@contextmanager
def served(home: Path) -> Iterator[FaultyServer]:
    """A sandbox on a free port."""
    keys = {"X-Auth-Token": SECRET, "x-apisports-key": SECRET}
    with simulated_world(home) as server, httpx.Client(headers=keys, timeout=60) as client:
        yield FaultyServer(server.address, client)


def items(source: str, reply: httpx.Response) -> list[dict[str, Any]]:
    """The matches of a JSON reply."""
    body = reply.json()
    return list(
        body if isinstance(body, list) else body[{FOOTBALL_DATA_ORG: "matches"}.get(source, "response")]
    )
