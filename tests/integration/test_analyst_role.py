"""The analysts' role: reads what is meant for reading, writes nothing, and cannot hold anybody up for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from typer.testing import CliRunner

from served_world import NOW, World
from touchline import cli
from touchline.database import bootstrap
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.ratings.update import update_ratings
from touchline.settings import Settings
from touchline.warehouse.build import build_layer

pytestmark = pytest.mark.slow

READABLE = ("analytics", "core", "ledger")


@pytest.fixture(scope="module")
def built(module_world: World) -> Settings:
    return module_world.settings


@contextmanager
def limited(settings: Settings, name: str, value: str) -> Iterator[None]:
    """In this database, sessions of analysts that begin within the block have a limit of their own."""
    place = (sql.Identifier(settings.warehouse_database), sql.Identifier(name))
    with open_url(settings.admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("alter role touchline_analyst in database {} set {} = {}").format(
                *place, sql.Literal(value)
            )
        )
        try:
            yield
        finally:
            admin.execute(sql.SQL("alter role touchline_analyst in database {} reset {}").format(*place))


def test_the_role_reads_analytics_core_and_the_ledger_and_nothing_else(built: Settings):
    with connect(built, "owner") as connection:
        found = rows(
            connection,
            "select nspname as schema, relname as name, "
            "has_schema_privilege('touchline_analyst', nspname, 'usage') "
            "and has_table_privilege('touchline_analyst', pg_class.oid, 'select') as is_readable "
            "from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace "
            "where relkind in ('r', 'p', 'v', 'm') and nspname !~ '^(pg_|information_schema)'",
        )
    assert {row["schema"] for row in found} >= {*READABLE, "landing", "staging", "features", "ops"}
    assert [row for row in found if row["is_readable"] != (row["schema"] in READABLE)] == []


def test_bodies_are_out_of_sight_while_refusals_are_explained(built: Settings):
    with connect(built, "analyst") as connection:
        assert rows(connection, "select count(*) as n from analytics.rejected_rows") == [{"n": 0}]
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("select body from landing.payload")


@pytest.mark.parametrize("statement", [
    "insert into ledger.prediction_outcome select * from ledger.prediction_outcome", "delete from core.match",
    "update core.match set status = 'played'", "truncate core.match_odds", "drop view analytics.matches",
    "create table analytics.mine (id int)", "create table public.mine (id int)", "create schema mine",
    "select landing.ensure_odds_partition(now())",
    "set role touchline_transform", "copy core.match to program 'cat'",
])  # fmt: skip
def test_the_role_changes_nothing_even_when_it_asks_for_writing_transactions(built: Settings, statement: str):
    with connect(built, "analyst") as connection:
        connection.execute("set session characteristics as transaction read write")
        connection.commit()
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_role_makes_no_temporary_tables(server: Settings):
    # In the installation's own database: rights on a database are not copied with it.
    with connect(server, "analyst") as connection:
        connection.execute("set session characteristics as transaction read write")
        connection.commit()
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("create temporary table mine (id int)")


def test_every_session_begins_read_only_in_utc_and_with_limits(built: Settings):
    with connect(built, "analyst") as connection:
        shown = {
            name: scalar(connection, f"show {name}")
            for name in ("default_transaction_read_only", "statement_timeout", "timezone",
                         "idle_in_transaction_session_timeout")
        }  # fmt: skip
    assert shown == {
        "default_transaction_read_only": "on", "statement_timeout": "1min", "timezone": "UTC",
        "idle_in_transaction_session_timeout": "1min",
    }  # fmt: skip


def test_a_query_that_takes_too_long_is_cut_off(built: Settings):
    with (
        limited(built, "statement_timeout", "200ms"),
        connect(built, "analyst") as connection,
        pytest.raises(errors.QueryCanceled, match="statement timeout"),
    ):
        connection.execute("select pg_sleep(60)")


def test_a_transaction_left_open_is_ended(built: Settings):
    with limited(built, "idle_in_transaction_session_timeout", "200ms"):
        forgotten = psycopg.connect(built.url("analyst"))
        forgotten.execute("select count(*) from core.match")
        pid = forgotten.info.backend_pid
        with open_url(built.admin_url, autocommit=True) as admin:
            while scalar(admin, "select count(*) from pg_stat_activity where pid = %s", (pid,)):
                time.sleep(0.05)
        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            forgotten.execute("select 1")


def test_analysts_cannot_take_every_connection(built: Settings):
    with ExitStack() as sessions:
        for _ in range(bootstrap.ANALYST_CONNECTIONS):
            sessions.enter_context(psycopg.connect(built.url("analyst")))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            psycopg.connect(built.url("analyst"))


@pytest.mark.parametrize("schema", ["core", "analytics"])
def test_what_dbt_makes_anew_is_readable_at_once(built: Settings, schema: str):
    with connect(built, "transform") as connection:
        connection.execute(f"create table {schema}.made_anew as select 1 as n")
    with connect(built, "analyst") as connection:
        assert scalar(connection, f"select n from {schema}.made_anew") == 1
    with connect(built, "transform") as connection:
        connection.execute(f"drop table {schema}.made_anew")


def test_the_url_of_the_role_is_printed_and_connects(
    built: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    variables: dict[str, Any] = built.environment()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli.app, ["database", "url", "--role", "analyst"])
    assert result.exit_code == 0, result.output
    with psycopg.connect(result.output.strip()) as connection:
        assert connection.execute("select current_user").fetchone() == ("touchline_analyst",)


@pytest.mark.nightly  # By day: tests/integration/test_migrations.py, down and up again.
def test_taking_the_role_away_and_giving_it_back_leaves_the_same_rights(built: Settings):
    query = (
        "select nspname, nspacl::text, (select string_agg(relname || relacl::text, ' ' order by relname) "
        "from pg_class where relnamespace = pg_namespace.oid and relkind in ('r', 'v')) as rights, "
        "(select string_agg(defaclacl::text, ' ') from pg_default_acl where defaclnamespace = pg_namespace.oid) "
        "as defaults from pg_namespace where nspname = any(%s) order by 1"
    )
    with connect(built, "owner") as connection:
        before = rows(connection, query, (list(READABLE),))
    assert "touchline_analyst" in str(before)
    bootstrap.downgrade(built, "0008-1")
    try:
        with connect(built, "owner") as connection:
            assert "touchline_analyst" not in str(rows(connection, query, (list(READABLE),)))
    finally:
        bootstrap.migrate(built)
    # Ratings of another shape went with a revision, and the view that reads them.
    update_ratings(built, NOW, "build")
    build_layer(built, "analytics", NOW, "build")
    with connect(built, "owner") as connection:
        assert sorted_rights(rows(connection, query, (list(READABLE),))) == sorted_rights(before)


def sorted_rights(found: list[dict[str, Any]]) -> list[list[str]]:
    """Rights regardless of the order in which they were granted."""
    return [sorted(str(row).replace("{", ",").replace("}", ",").split(",")) for row in found]
