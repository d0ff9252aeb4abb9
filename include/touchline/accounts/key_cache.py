"""Keys as one process of the API knows them, so that a request seldom asks the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from touchline.accounts.keys import Key
from touchline.database.queries import query

# How long a key that was revoked or changed is taken for what it was.
KEPT_SECONDS = 3.0
# Prefixes that nobody has cannot fill the memory.
MOST_KEPT = 10_000

# Runs a query with positional parameters and gives its rows.
Fetch = Callable[..., Awaitable[Sequence[Mapping[str, Any]]]]


class KeyCache:
    """Keys by prefix, each as it was at most KEPT_SECONDS ago; also that there is none of a prefix."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: dict[str, tuple[float, Key | None]] = {}
        self._asking: dict[str, asyncio.Task[Key | None]] = {}

    def has_met(self, prefix: str) -> bool:
        """True when there was a key of this prefix when it was last looked for."""
        kept = self._kept.get(prefix)
        return kept is not None and kept[1] is not None

    async def find(self, prefix: str) -> Key | None:
        """The key, without waiting where it is kept. Raises what the query raises."""
        kept = self._kept.get(prefix)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        # All who miss it at once ask once; none of them, leaving, takes the answer from the others.
        if (asking := self._asking.get(prefix)) is None:
            asking = self._asking[prefix] = asyncio.create_task(self._ask(prefix))
            asking.add_done_callback(lambda _: self._asking.pop(prefix))
        return await asyncio.shield(asking)

    async def _ask(self, prefix: str) -> Key | None:
        found = key_of(await self._fetch(query("accounts/sql/key"), prefix))
        self._kept.pop(prefix, None)
        while len(self._kept) >= MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[prefix] = time.monotonic() + KEPT_SECONDS, found
        return found


def key_of(found: Sequence[Mapping[str, Any]]) -> Key | None:
    """The key in the rows of `sql/key.sql`, None when there are none."""
    if not found:
        return None
    key = found[0]
    return Key(
        prefix=key["prefix"],
        scopes=frozenset(key["scopes"]),
        rate_limit=key["rate_limit"],
        expires=_seconds(key["expires_at"]),
        is_revoked=key["revoked_at"] is not None,
        secrets=tuple((bytes(row["secret_hash"]), _seconds(row["secret_expires_at"])) for row in found),
    )


def _seconds(moment: Any) -> float:
    return float("inf") if moment is None else float(moment.timestamp())
