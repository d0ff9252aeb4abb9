"""Connections that a process keeps for their next use, while it does work that opens many."""

from __future__ import annotations

import os
import select
from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol


class Connection(Protocol):
    """What psycopg's connections have in common with those of its predecessor, which dbt uses."""

    def fileno(self) -> int:
        """The number of its socket."""

    def close(self) -> None:
        """End it."""


class _Kept:
    """Connections that nobody uses at the moment, by what they may be used for."""

    def __init__(self) -> None:
        self.n_blocks = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked process: its parent's connections are not its own, so they stay open and unused."""
        self._of_parent = getattr(self, "idle", None), getattr(self, "_of_parent", None)
        self.lock = Lock()
        self.idle: dict[Hashable, list[Connection]] = defaultdict(list)


_kept = _Kept()
os.register_at_fork(after_in_child=_kept.begin_anew)


@contextmanager
def kept_connections() -> Iterator[None]:
    """Until the block ends, connections that are given back are kept, for the next use of the same role.

    Each would be a new process of the server, which has to read the catalogue and its hundreds of partitions first.
    """
    with _kept.lock:
        _kept.n_blocks += 1
    try:
        yield
    finally:
        with _kept.lock:
            _kept.n_blocks -= 1
            idle = [] if _kept.n_blocks else [each for found in _kept.idle.values() for each in found]
            if idle:
                _kept.idle.clear()
        for connection in idle:
            connection.close()


def are_kept() -> bool:
    """Whether such a block runs."""
    return _kept.n_blocks > 0


def take(use: Hashable) -> Connection | None:
    """A connection kept for this use, unless the server has ended it: nothing else is said to one that is idle."""
    with _kept.lock:
        idle = _kept.idle[use]
        while idle:
            connection = idle.pop()
            said = select.poll()
            said.register(connection, select.POLLIN)
            if not said.poll(0):
                return connection
            connection.close()
    return None


def keep(use: Hashable, connection: Connection) -> bool:
    """Keep a connection that is as good as new; False when it is to be closed."""
    with _kept.lock:
        if _kept.n_blocks:
            _kept.idle[use].append(connection)
        return _kept.n_blocks > 0
