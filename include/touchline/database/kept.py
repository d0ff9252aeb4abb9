"""Connections that a process keeps for their next use, while it does work that opens many."""

from __future__ import annotations

import os
import select
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from threading import Lock
from typing import Any

import psycopg

Connection = psycopg.Connection[Any]


class _Kept:
    """Connections that nobody uses at the moment, by URL."""

    def __init__(self) -> None:
        self.n_blocks = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked process: its parent's connections are not its own, so they stay open and unused."""
        self._of_parent = getattr(self, "idle", None), getattr(self, "_of_parent", None)
        self.lock = Lock()
        self.idle: dict[str, list[Connection]] = defaultdict(list)


_kept = _Kept()
_n_given = count()
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


def take(url: str) -> Connection | None:
    """A connection that was given back, unless the server has ended it: nothing else is said to one that is idle."""
    with _kept.lock:
        idle = _kept.idle[url]
        while idle:
            connection = idle.pop()
            said = select.poll()
            said.register(connection, select.POLLIN)
            if not said.poll(0):
                return connection
            connection.close()
    return None


def give_back(url: str, connection: Connection) -> bool:
    """Keep a connection whose transaction is over, as if it were new; False when it is to be closed."""
    if connection.closed or not _kept.n_blocks:
        return False
    # What was to be done is committed, so a server that is lost only now is no error of this use.
    with suppress(psycopg.Error):
        connection.autocommit = True
        # Psycopg 3.3 notices that its prepared statements are gone only if it has not counted this very text before.
        connection.execute(f"discard all -- {next(_n_given)}")
        connection.autocommit = False
        with _kept.lock:
            if _kept.n_blocks:
                _kept.idle[url].append(connection)
                return True
    return False
