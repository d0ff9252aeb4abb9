"""Who may do what on the server: every role against every attempt, and what analysts cannot give themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg import errors

from touchline.database import bootstrap
from touchline.database.engine import Connection, connect, open_url, scalar
from touchline.database.watchdog import Limits, end_what_goes_too_far
from touchline.settings import ROLES, Settings

BUILDERS = "owner ingest transform model"
# What is tried, and the roles that succeed.
ATTEMPTS = (
    ("select body from landing.payload", BUILDERS),
    ("select content_hash from landing.payload", f"{BUILDERS} api"),
    ("select price_home from landing.odds_observation", f"{BUILDERS} api"),
    ("select value from landing.rejected_row", BUILDERS),
    ("select rule from landing.rejected_row", f"{BUILDERS} metrics"),
    ("select secret_hash from ops.api_key_secret", "owner access"),
    ("select owner from ops.api_key", "owner access"),
    (
        "insert into ops.api_key (prefix, owner, scopes, created_at) values ('tl_aaaaaaaa', 'x', '{read}', now())",
        "owner",
    ),
    ("update ops.api_key set scopes = '{read,profile}'", "owner"),
    ("update ops.api_key set expires_at = null, revoked_at = null", "owner"),
    ("delete from ops.api_key", "owner"),
    ("update ops.api_key_secret set expires_at = null", "owner"),
    ("insert into ops.api_key_secret select sha256('x'), prefix, now() from ops.api_key", "owner"),
    ("select from ops.user_profile", "owner access"),
    ("update ops.user_profile set time_zone = 'UTC'", "owner access"),
    ("update ops.user_profile set prefix = 'tl_bbbbbbbb'", "owner"),
    ("delete from ops.user_profile", "owner"),
    ("select from ops.api_key_use", "owner access"),
    ("update ops.api_key_use set route = '/'", "owner"),
    ("delete from ops.api_key_use", "owner"),
    ("truncate ops.api_key_use", "owner"),
    ("select ops.forget_key_uses(30)", "owner ingest"),
    ("select ops.forget_key_uses(29)", ""),
    ("delete from ops.api_rate", "owner access"),
    ("select p_home from ledger.prediction", "owner transform model api analyst watchdog metrics"),
    ("truncate ledger.prediction cascade", ""),
    ("truncate landing.payload cascade", ""),
    ("insert into ops.audit_log (action, object, reason) values ('UPDATE', 'x', 'y')", "owner"),
    ("insert into ops.audit_log (action, object, reason, actor) values ('UPDATE', 'x', 'y', 'z')", ""),
    (
        "insert into ops.audit_log (action, object, reason, happened_at) values ('UPDATE', 'x', 'y', now())",
        "",
    ),
    ("update ops.audit_log set reason = ''", ""),
    ("delete from ops.audit_log", ""),
    ("truncate ops.audit_log", ""),
    ("alter table ops.audit_log disable trigger refuse_change", ""),
    ("alter table ops.audit_log owner to current_user", ""),
    ("drop table ops.audit_log", ""),
    ("drop schema ops cascade", ""),
    ("alter schema ops rename to before", ""),
    ("set role touchline_auditor", ""),
    ("select pg_advisory_xact_lock(hashtext('warehouse build'))", BUILDERS),
    ("select pg_advisory_xact_lock_shared(1, 2)", BUILDERS),
    ("select pg_try_advisory_xact_lock(1)", BUILDERS),
    ("select pg_try_advisory_lock(1)", BUILDERS),
    ("select pg_advisory_lock_shared(2)", BUILDERS),
    ("lock table ledger.prediction in row share mode", "owner"),
    ("select lo_create(0)", BUILDERS),
    ("select lo_from_bytea(0, 'x')", BUILDERS),
    ("select pg_logical_emit_message(false, 'x', 'y')", BUILDERS),
    ("create temporary table mine (id int)", BUILDERS),
    ("create schema mine", "owner"),
    ("create table core.mine (id int)", "owner transform"),
    ("create table public.mine (id int)", "owner"),
    ("create table ops.mine (id int)", "owner"),
    ("create extension dblink", ""),
    ("create extension file_fdw", ""),
    ("set temp_file_limit = -1", ""),
    ("set session_replication_role = replica", ""),
    ("set log_statement = none", ""),
    ("select pg_read_file('PG_VERSION')", ""),
    ("copy (select 1) to program 'true'", ""),
    ("select * from pg_authid", ""),
    ("alter role touchline_api superuser", ""),
    ("alter role touchline_transform password 'x'", "transform"),
    ("set role postgres", ""),
    ("set role touchline_owner", "owner"),
    ("set role touchline_transform", "owner transform"),
    ("set role touchline_analyst", "analyst watchdog"),
)


@pytest.fixture(scope="module")
def sessions(server: Settings) -> Iterator[dict[str, Connection]]:
    """One session a role, on the server's own warehouse database: what an attempt does is rolled back."""
    with ExitStack() as stack:
        yield {role: stack.enter_context(psycopg.connect(server.url(role))) for role in ROLES}


def succeeds(connection: Connection, statement: str) -> bool:
    try:
        connection.execute("set transaction read write")
        connection.execute(statement)
    except errors.InsufficientPrivilege:
        return False
    finally:
        connection.rollback()
    return True


@pytest.mark.parametrize(("attempt", "allowed"), ATTEMPTS, ids=[attempt for attempt, _ in ATTEMPTS])
def test_a_role_may_do_its_part_and_no_other(sessions: dict[str, Connection], attempt: str, allowed: str):
    assert {role for role, session in sessions.items() if succeeds(session, attempt)} == set(allowed.split())


@pytest.mark.parametrize(("owner", "allowed"), [
    ("transform", "owner transform"), ("model", "model"), ("api", "api"), ("analyst", "analyst watchdog"),
])  # fmt: skip
def test_a_role_ends_only_sessions_of_its_own(sessions: dict[str, Connection], owner: str, allowed: str):
    # To cancel what a session does needs the same right as to end it, and does nothing to an idle one.
    attempt = f"select pg_cancel_backend({sessions[owner].info.backend_pid})"
    others = {role: session for role, session in sessions.items() if role != owner}
    found = {role for role, session in others.items() if succeeds(session, attempt)}
    assert found == set(allowed.split()) - {owner}


def connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        if "permission denied for database" in str(error):
            return False
        raise
    return True


@pytest.mark.parametrize("role", [*ROLES, "airflow", "mlflow"])
def test_a_role_connects_to_its_own_database_only_but_for_the_exporter(server: Settings, role: str):
    user, own = (f"touchline_{role}", [server.warehouse_database]) if role in ROLES else (role, [role])
    if role == "metrics":
        own.append("airflow")
    databases = (server.warehouse_database, "airflow", "mlflow", "postgres", "template1")
    url = {database: server.url_for(user, server.secrets[role], database) for database in databases}
    assert [database for database in databases if connects(url[database])] == own


def test_a_repair_is_in_the_audit_log_though_its_owner_cannot_change_it(server: Settings):
    with connect(server, "owner") as connection:
        connection.execute("set local touchline.bypass_reason = 'erasure request 17'")
        connection.execute("truncate ledger.prediction cascade")
        noted = connection.execute(
            "select actor, action, reason, happened_at between now() and clock_timestamp() from ops.audit_log"
        ).fetchall()
        assert ("touchline_owner", "TRUNCATE", "erasure request 17", True) in noted
        connection.rollback()


def test_what_an_analyst_sorts_cannot_fill_the_disk(server: Settings):
    with connect(server, "analyst") as connection:
        assert scalar(connection, "show temp_file_limit") == bootstrap.ANALYST_TEMPORARY_FILES


@contextmanager
def at_work(settings: Settings, *statements: str) -> Iterator[None]:
    """A session of an analyst that has taken its limits off and works on the last of `statements`."""
    connection = psycopg.connect(settings.url("analyst"), autocommit=True)
    for statement in ("set statement_timeout = 0", *statements[:-1]):
        connection.execute(statement)

    def work() -> None:
        with pytest.raises(errors.AdminShutdown):
            connection.execute(statements[-1])

    worker = threading.Thread(target=work)
    worker.start()
    query = "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
    with open_url(settings.admin_url, autocommit=True) as admin:
        try:
            while scalar(admin, query, (connection.info.backend_pid,)) is None:
                time.sleep(0.01)
            yield
        finally:
            admin.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
            worker.join()


def test_the_watchdog_ends_a_statement_whose_analyst_has_taken_the_timeout_off(server: Settings):
    with (
        connect(server, "watchdog") as watchdog,
        at_work(server, "select pg_sleep(600)"),
    ):
        watchdog.autocommit = True
        assert end_what_goes_too_far(watchdog, Limits(), sees_memory=True) == []
        (told,) = end_what_goes_too_far(watchdog, Limits(transaction=timedelta(0)), sees_memory=True)
        assert "a statement or transaction of" in told


def test_the_watchdog_ends_a_session_that_takes_too_much_memory_and_no_other(server: Settings):
    limits = Limits(memory=60 * 2**20)
    with (
        connect(server, "watchdog") as watchdog,
        psycopg.connect(server.url("analyst"), autocommit=True) as modest,
        at_work(
            server, "do $$ declare much text := repeat('x', 100000000); begin perform pg_sleep(600); end $$"
        ),
    ):
        watchdog.autocommit = True
        assert end_what_goes_too_far(watchdog, limits, sees_memory=False) == []
        (told,) = end_what_goes_too_far(watchdog, limits, sees_memory=True)
        assert "MiB of memory, at most 60" in told
        assert scalar(modest, "select 1") == 1


def test_the_watchdog_ends_what_stays_open_and_does_nothing(server: Settings):
    with connect(server, "watchdog") as watchdog:
        watchdog.autocommit = True
        for statement, limits in (
            ("select 1", Limits(idle=timedelta(0))),
            ("begin", Limits(transaction=timedelta(0))),
        ):
            with psycopg.connect(server.url("analyst"), autocommit=True) as forgotten:
                forgotten.execute("set idle_session_timeout = 0")
                forgotten.execute("set idle_in_transaction_session_timeout = 0")
                forgotten.execute(statement)
                while not end_what_goes_too_far(watchdog, limits, sees_memory=False):
                    time.sleep(0.01)
                with pytest.raises(errors.AdminShutdown):
                    forgotten.execute("select 1")
                forgotten.close()
