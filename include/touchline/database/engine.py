"""Connections to PostgreSQL: psycopg for statements and COPY, SQLAlchemy URLs for the tools that need them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from typing import Any

import psycopg
from psycopg.pq import PGconn, Ping
from psycopg.rows import DictRow, dict_row

from touchline.database import kept
from touchline.errors import DatabaseUnavailable
from touchline.settings import Role, Settings

Connection = psycopg.Connection[Any]
# A server that was killed is back in less.
PATIENCE_SECONDS = 30.0
_n_discarded = count()


@contextmanager
def connect(settings: Settings, role: Role, database: str | None = None) -> Iterator[Connection]:
    """A connection with the rights of `role`; commits on success, rolls back on error, then closes.

    Within `kept_connections` it may be one that was used before and is as new, and on success it is kept.
    A server that starts or recovers is waited for, and so is the embedded one when it died.
    Raises DatabaseUnavailable, with the address but never the password, when nothing answers or the connection is lost.
    """
    is_supervised = settings.database_url is None and settings.running_port("postgres", 0) > 0
    url = settings.url(role, database)
    waiting = kept.take(url)
    connection = (
        waiting
        if isinstance(waiting, psycopg.Connection)
        else _opened(url, autocommit=False, comes_back=is_supervised)
    )
    with _in_use(connection, url), ExitStack() as closing:
        closing.enter_context(connection)
        yield connection
        if not connection.closed:
            connection.commit()
        if kept.are_kept() and _made_as_new(connection) and kept.keep(url, connection):
            closing.pop_all()


def _made_as_new(connection: Connection) -> bool:
    """Whether a connection whose transaction is over could be made to remember nothing of its use."""
    # What was to be done is committed, so a server that is lost only now is no error of this use.
    with suppress(psycopg.Error):
        connection.autocommit = True
        # Psycopg 3.3 notices that its prepared statements are gone only if it has not counted this very text before.
        connection.execute(f"discard all -- {next(_n_discarded)}")
        connection.autocommit = False
        return True
    return False


@contextmanager
def open_url(url: str, *, autocommit: bool = False, comes_back: bool = False) -> Iterator[Connection]:
    """As `connect`, for any URL; a server that does not answer at all is waited for if it `comes_back`."""
    connection = _opened(url, autocommit=autocommit, comes_back=comes_back)
    with _in_use(connection, url), connection:
        yield connection


def _opened(url: str, *, autocommit: bool, comes_back: bool) -> Connection:
    try:
        try:
            return psycopg.connect(url, connect_timeout=10, autocommit=autocommit)
        except psycopg.OperationalError:
            _await_server(url, comes_back)
            return psycopg.connect(url, connect_timeout=10, autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL at {_address(url)} cannot be reached: {str(error).strip()}\n"
            "start it with `touchline up`, or correct TOUCHLINE_DATABASE_URL"
        ) from error


@contextmanager
def _in_use(connection: Connection, url: str) -> Iterator[None]:
    """Raises DatabaseUnavailable when the connection is lost."""
    try:
        yield
    except psycopg.OperationalError as error:
        if not connection.broken:
            raise
        raise DatabaseUnavailable(
            f"the connection to PostgreSQL at {_address(url)} was lost: {str(error).strip()}\n"
            "what was not committed is undone; run the command again once the database answers"
        ) from error


def _address(url: str) -> str:
    return url.rpartition("@")[2]


def _await_server(url: str, comes_back: bool) -> None:
    away = {Ping.REJECT, Ping.NO_RESPONSE} if comes_back else {Ping.REJECT}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while PGconn.ping(url.encode()) in away and time.monotonic() < deadline:
        time.sleep(0.1)


def rows(connection: Connection, query: str, parameters: Any = None) -> list[DictRow]:
    """All rows of a query, as dictionaries. Parameters are bound, never pasted in."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, parameters).fetchall()


def scalar(connection: Connection, query: str, parameters: Any = None) -> Any:
    """The first column of the first row, or None."""
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def sqlalchemy_url(url: str) -> str:
    """The same address for tools that use SQLAlchemy with psycopg2: MLflow, Airflow's metadata, Great Expectations."""
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)
