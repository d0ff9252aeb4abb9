"""Connections that are kept for their next use: as good as new ones, whatever happened to them or to the server."""

from __future__ import annotations

import os
import time

import pytest
from psycopg.errors import DivisionByZero

from touchline.database.engine import Connection, connect, scalar
from touchline.database.kept import kept_connections
from touchline.settings import Settings

pytestmark = pytest.mark.slow

PREPARED_FROM = 6


def process_of(settings: Settings) -> int:
    """The server's process that answers."""
    with connect(settings, "transform") as connection:
        return backend(connection)


def backend(connection: Connection) -> int:
    found: int = scalar(connection, "select pg_backend_pid()")
    return found


def is_there(settings: Settings, process: int) -> bool:
    with connect(settings, "owner") as connection:
        query = "select exists (select from pg_stat_activity where pid = %s)"
        return bool(scalar(connection, query, (process,)))


def test_a_connection_is_used_again_within_the_block_and_ends_with_it(settings: Settings):
    with kept_connections():
        with kept_connections():
            first = process_of(settings)
        assert process_of(settings) == first
        with connect(settings, "transform") as one, connect(settings, "transform") as other:
            assert backend(one) == first != backend(other)
    assert process_of(settings) != first
    deadline = time.monotonic() + 30
    while is_there(settings, first):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_connection_that_is_used_again_remembers_nothing(settings: Settings):
    with kept_connections():
        first = process_of(settings)
        for _ in range(3):
            with connect(settings, "transform") as connection:
                assert backend(connection) == first
                assert not connection.autocommit
                assert scalar(connection, "select current_setting('work_mem') <> '3MB'")
                assert scalar(connection, "select to_regclass('pg_temp.left_over')") is None
                assert (
                    scalar(
                        connection,
                        "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
                    )
                    == 0
                )
                connection.commit()
                connection.autocommit = True
                connection.execute("set work_mem = '3MB'")
                connection.execute("create temporary table left_over (n int)")
                connection.execute("select pg_advisory_lock(7)")
                for n in range(PREPARED_FROM):
                    assert scalar(connection, "select %s + 1", (n,)) == n + 1
                with connection.cursor() as cursor:
                    cursor.executemany(
                        "insert into left_over values (%s)", [(n,) for n in range(PREPARED_FROM)]
                    )


def test_what_was_done_is_committed_and_what_failed_is_undone(settings: Settings):
    count = "select count(*) from ops.quality_result where run_id = 'kept'"
    insert = (
        "insert into ops.quality_result (run_id, gate, suite, expectation, severity, success, observed, as_of) "
        "values ('kept', 'core', 'suite', 'all', 'warn', true, '{}', now())"
    )
    with kept_connections():
        with connect(settings, "transform") as connection:
            connection.execute(insert)
        with pytest.raises(DivisionByZero), connect(settings, "transform") as connection:
            connection.execute(f"with written as ({insert} returning 1) select 1 / 0 from written")
        with connect(settings, "transform") as connection:
            assert scalar(connection, count) == 1


def test_a_connection_that_the_server_has_ended_is_not_used_again(settings: Settings):
    with kept_connections():
        ended = process_of(settings)
        with connect(settings, "owner") as connection:
            connection.execute("select pg_terminate_backend(%s, 30000)", (ended,))
        assert process_of(settings) != ended


def test_a_forked_process_has_connections_of_its_own(settings: Settings):
    with kept_connections():
        first = process_of(settings)
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if process_of(settings) not in (first, 0) else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert process_of(settings) == first
