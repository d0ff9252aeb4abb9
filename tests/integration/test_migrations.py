"""The database itself: history cannot be rewritten, every role may do its part and nothing more."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import psycopg
import pytest
from psycopg import errors, sql

from predictions import KICKOFF, announce, insert_outcome, insert_prediction, insert_season, know_result
from touchline.database import bootstrap, embedded
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.errors import DatabaseUnavailable
from touchline.settings import Role, Settings, inherited_environment
from touchline.supervision.programs import read_life

pytestmark = pytest.mark.slow

LANDING = ("payload", "payload_seen", "payload_parsed", "rejected_row", "fixture_observation", "score_observation",
           "odds_observation", "odds_month", "quarantined_fact")  # fmt: skip
OLDER = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
    "0023",
    "0024",
    "0025",
    "0026",
    "0027",
    "0028",
)
NEWEST = "0029"
PREPARE = """
from touchline.database import bootstrap
from touchline.settings import read_settings
bootstrap.prepare(read_settings())
"""
PARTITION = "landing.odds_observation_202210"
APPEND_ONLY = (
    "landing.accepted_fact",
    *(f"landing.{name}" for name in LANDING),
    PARTITION,
    "ledger.prediction",
    "ledger.prediction_outcome",
    "ledger.season_forecast",
    "ledger.season_outcome",
    "ledger.chain",
    "ledger.digest",
)
# Rows that must go before those of the table that they refer to.
REFERRING = {
    "landing.payload": [
        name for name in APPEND_ONLY if name.startswith("landing") and name != "landing.payload"
    ],
    "landing.quarantined_fact": ["landing.accepted_fact"],
    "ledger.prediction": ["ledger.prediction_outcome"],
}
APPLICATION_ROLES = ("ingest", "transform", "model", "api")
CHANGES = {
    "update": "update {} set run_id = run_id",
    "delete": "delete from {}",
    "truncate": "truncate {} cascade",
}
WITHOUT_RUN_ID = {
    "landing.fixture_observation": "payload_id",
    "landing.score_observation": "payload_id",
    "landing.odds_observation": "payload_id",
    "landing.odds_month": "month",
    PARTITION: "payload_id",
    "ledger.chain": "hash",
    "ledger.digest": "hash",
}
# Ingest writes these, too; the tests of their own subjects fill them.
FILLED_ELSEWHERE = {"landing.match_link", "landing.team_link", "landing.team_review", "landing.payload_replayed",
                    "landing.rejected_row_settled", "ops.source_state", "ops.source_usage"}  # fmt: skip
SEEN = datetime(2022, 10, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def migrated(server: Settings) -> Iterator[Settings]:
    """A database made as an installation makes it (rights on a database are not copied with a template)."""
    settings = server.model_copy(update={"database_name": "touchline_migrated"})
    bootstrap.prepare(settings)
    announce(settings)
    know_result(settings, 2, 1)
    yield settings
    with open_url(server.admin_url, autocommit=True) as admin:
        admin.execute("drop database touchline_migrated with (force)")


@pytest.fixture(scope="module")
def written(migrated: Settings) -> Settings:
    """A row in every append-only table, each written by the role whose task it is."""
    key = "00000000-0000-0000-0000-000000000001"
    with connect(migrated, "ingest") as connection:
        payload_id = scalar(
            connection,
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, "
            "run_id) values ('test', 'E0.csv', %s, true, 'h', 1, 'b', 'test') returning payload_id",
            (SEEN,),
        )
        connection.execute("select landing.ensure_odds_partition(%s)", (SEEN,))
        given = {"payload": payload_id, "key": key, "seen": SEEN}
        for statement in (
            "insert into landing.payload_seen values (%(payload)s, %(seen)s, 'test')",
            "insert into landing.payload_parsed values (%(payload)s, 1, 0, 1, 0, 0, 0, 0, 'test')",
            "insert into landing.rejected_row (payload_id, row_number, scope, rule, reason, observed_at, run_id) "
            "values (%(payload)s, 1, 'row', 'rule', 'reason', %(seen)s, 'test')",
            "insert into landing.fixture_observation values (%(key)s, 'test', 'E0', '2022/23', 'Arsenal', 'Leeds', "
            "'2022-11-02', '2022-11-02 15:00Z', true, 'scheduled', %(payload)s, 1, %(seen)s, %(seen)s, %(seen)s)",
            "insert into landing.score_observation (fixture_key, source, home_goals, away_goals, payload_id, "
            "row_number, published_at, observed_at, known_at) "
            "values (%(key)s, 'test', 2, 1, %(payload)s, 1, %(seen)s, %(seen)s, %(seen)s)",
            "insert into landing.odds_observation (fixture_key, source, bookmaker, market, is_closing, price_home, "
            "payload_id, row_number, quoted_at, observed_at, known_at) "
            "values (%(key)s, 'test', 'B365', '1x2', false, 2, %(payload)s, 1, %(seen)s, %(seen)s, %(seen)s)",
            "insert into landing.odds_month values (%(key)s, 'test', '2022-10-01')",
            "insert into landing.quarantined_fact (kind, fixture_key, payload_id, rule, reason, observed_at, run_id) "
            "values ('score', %(key)s, %(payload)s, 'rule', 'reason', %(seen)s, 'test')",
        ):
            connection.execute(statement, given)
    with connect(migrated, "transform") as connection:
        connection.execute(
            "with hold as (insert into ops.competition_hold (competition, gate, suite, expectation, reason, row_keys, "
            "run_id, held_as_of) values ('E0', 'landing', 'suite', 'expectation', 'reason', '{}', 'test', %(seen)s) "
            "returning competition_hold_id) "
            "insert into landing.accepted_fact (quarantined_fact_id, competition_hold_id, accepted_as_of, run_id) "
            "select quarantined_fact_id, competition_hold_id, %(seen)s, 'test' "
            "from landing.quarantined_fact cross join hold",
            given,
        )
    with connect(migrated, "model") as connection:
        prediction_id = insert_prediction(connection)
        insert_outcome(connection, prediction_id)
        insert_season(connection)
        connection.execute("select ledger.take_digest()")
    return migrated


def change(table: str, action: str) -> str:
    return CHANGES[action].format(table).replace("run_id", WITHOUT_RUN_ID.get(table, "run_id"))


def everything(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    with connect(settings, "owner") as connection:
        return {table: rows(connection, f"select * from {table}") for table in APPEND_ONLY}


@pytest.mark.parametrize("role", ["owner", *APPLICATION_ROLES])
def test_nobody_changes_what_was_written(written: Settings, role: Role):
    before = everything(written)
    assert all(before.values()), "a table without rows would prove nothing"
    changed = []
    with connect(written, role) as connection:
        if role != "owner":
            connection.execute("set touchline.bypass_reason = 'an application has no reason'")
        for table, action in itertools.product(APPEND_ONLY, CHANGES):
            try:
                with connection.transaction():
                    connection.execute(change(table, action))
            except errors.InsufficientPrivilege:
                continue
            changed.append((table, action))
    assert changed == []
    assert everything(written) == before


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_owner_repairs_with_a_reason_that_is_recorded(written: Settings, table: str):
    for action in CHANGES:
        with connect(written, "owner") as connection:
            connection.execute("set touchline.bypass_reason = 'erasure request 17'")
            if action == "delete":
                for child in REFERRING.get(table, ()):
                    connection.execute(f"delete from {child}")
            there = scalar(connection, f"select count(*) from {table}")
            connection.execute(change(table, action))
            noted = rows(connection, "select actor, action, object, reason from ops.audit_log")
            left = scalar(connection, f"select count(*) from {table}")
            # The written rows serve the other tests.
            connection.rollback()
        assert noted, f"{action} was not recorded"
        assert {(row["actor"], row["reason"]) for row in noted} == {("touchline_owner", "erasure request 17")}
        # A row trigger of a partitioned table names the partition that holds the row.
        touched = PARTITION if table == "landing.odds_observation" and action != "truncate" else table
        assert touched in {row["object"] for row in noted if row["action"] == action.upper()}
        assert left == (there if action == "update" else 0)


def test_the_bypass_is_the_owners_alone_whatever_else_is_granted(written: Settings):
    with connect(written, "owner") as connection:
        connection.execute("grant delete on landing.rejected_row to touchline_ingest")
    try:
        with connect(written, "ingest") as connection:
            connection.execute("set local touchline.bypass_reason = 'I would like to'")
            with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
                connection.execute("delete from landing.rejected_row")
            connection.rollback()
    finally:
        with connect(written, "owner") as connection:
            connection.execute("revoke delete on landing.rejected_row from touchline_ingest")


@pytest.mark.parametrize("statement", [
    "update ops.audit_log set reason = 'none'", "delete from ops.audit_log", "truncate ops.audit_log",
])  # fmt: skip
def test_nobody_changes_the_audit_log_not_even_with_a_reason(written: Settings, statement: str):
    with connect(written, "owner") as connection:
        connection.execute("set touchline.bypass_reason = 'tidying up'")
        connection.execute("update landing.payload set run_id = run_id")
        with pytest.raises(errors.InsufficientPrivilege, match="permission denied"):
            connection.execute(statement)
        connection.rollback()
    with bootstrap.administering(written) as admin:
        with pytest.raises(errors.InsufficientPrivilege, match="without exception"):
            admin.execute(statement)
        admin.rollback()


@pytest.mark.parametrize("role", APPLICATION_ROLES)
def test_no_application_writes_the_audit_log_itself(migrated: Settings, role: Role):
    with connect(migrated, role) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(
            "insert into ops.audit_log (actor, action, object, reason) values ('somebody', 'DELETE', 'x', 'y')"
        )


def test_a_month_of_odds_made_later_is_guarded_too(written: Settings):
    with connect(written, "ingest") as connection:
        made = scalar(connection, "select landing.ensure_odds_partition(%s)", (SEEN + timedelta(days=31),))
        again = scalar(connection, "select landing.ensure_odds_partition(%s)", (SEEN + timedelta(days=31),))
    assert made == again == "odds_observation_202211"
    with (
        connect(written, "owner") as connection,
        pytest.raises(errors.InsufficientPrivilege, match="append-only"),
    ):
        connection.execute(f"truncate landing.{made}")


def writable(settings: Settings, role: Role) -> set[str]:
    """Tables of ours on which a role holds any right to write, on the table or on one of its columns."""
    query = """
        select format('%%I.%%I', schemaname, tablename) as name from pg_tables
        where schemaname in ('landing', 'ledger', 'ops', 'public', 'core', 'features', 'analytics', 'feast')
            and (has_table_privilege(%(role)s, format('%%I.%%I', schemaname, tablename),
                    'insert, update, delete, truncate')
                or has_any_column_privilege(%(role)s, format('%%I.%%I', schemaname, tablename), 'insert, update'))
    """
    with connect(settings, "owner") as connection:
        return {row["name"] for row in rows(connection, query, {"role": f"touchline_{role}"})}


def test_each_role_writes_its_part_only(written: Settings):
    records = {"ops.pipeline_run", "ops.quality_result", "ops.drift_metric", "ops.lineage_edge", "ops.rule_result",
               "ops.competition_hold", "ops.competition_release"}  # fmt: skip
    assert writable(written, "ingest") == (
        {f"landing.{name}" for name in LANDING} | records | {"ops.world", "ops.notice"} | FILLED_ELSEWHERE
    )
    said = {
        "ledger.prediction",
        "ledger.prediction_outcome",
        "ledger.season_forecast",
        "ledger.season_outcome",
    }
    assert writable(written, "model") == said | records
    builds = {"ops.match_change", "ops.layer_build", "ops.seen_input",
              "landing.quarantined_fact", "landing.accepted_fact"}  # fmt: skip
    built = {"core.match", "core.match_result"}
    assert writable(written, "transform") == records | builds | built | {"ops.anomaly", "ops.anomaly_search"}
    assert writable(written, "api") == set()
    assert writable(written, "access") == {"ops.api_key_use", "ops.user_profile", "ops.api_rate"}


@pytest.mark.parametrize("statement", [
    "create table public.mine (id int)", "create temporary table mine (id int)", "create schema mine",
    "create table analytics.mine (id int)", "insert into core.mine values (1)",
    "insert into ops.world values (true, 'x')", "select landing.ensure_odds_partition(now())",
])  # fmt: skip
def test_the_read_only_role_creates_nothing(written: Settings, statement: str):
    with connect(written, "transform") as connection:
        connection.execute("create table if not exists core.mine (id int)")
    with connect(written, "api") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("table", ["fixture_observation", "score_observation"])
def test_nothing_is_known_before_it_was_published(written: Settings, table: str):
    early = (
        f"insert into landing.{table} select (jsonb_populate_record(fact, jsonb_build_object("
        "'fixture_key', gen_random_uuid(), 'published_at', known_at + interval '1 second'))).* "
        f"from landing.{table} as fact"
    )
    with connect(written, "ingest") as connection:
        with pytest.raises(errors.CheckViolation) as caught:
            connection.execute(early)
        connection.rollback()
    assert caught.value.diag.constraint_name == "known_once_published"


def test_ingest_cannot_write_the_ledger(written: Settings):
    with connect(written, "ingest") as connection, pytest.raises(errors.InsufficientPrivilege):
        insert_prediction(connection)


@pytest.mark.parametrize(("changes", "rule"), [
    ({"predicted_at": KICKOFF}, "predicted_before_kickoff"),
    ({"predicted_at": KICKOFF + timedelta(minutes=1)}, "predicted_before_kickoff"),
    ({"clock": "live"}, "recorded_before_kickoff"),
    ({"features_as_of": KICKOFF - timedelta(hours=1)}, "features_before_prediction"),
    ({"p_home": 0.51}, "probabilities_sum_to_one"),
    ({"p_home": 0.49}, "probabilities_sum_to_one"),
    ({"p_home": 1.2, "p_draw": 0.0, "p_away": -0.2}, "prediction_p_away_check"),
    ({"p_home": float("nan")}, "prediction_p_home_check"),
    ({"role": "favourite"}, "prediction_role_check"),
])  # fmt: skip
def test_the_ledger_refuses(migrated: Settings, changes: dict[str, Any], rule: str):
    with connect(migrated, "model") as connection, pytest.raises(errors.CheckViolation) as caught:
        insert_prediction(connection, feature_hash="refused", **changes)
    assert caught.value.diag.constraint_name == rule


def test_a_live_prediction_before_kickoff_is_taken(settings: Settings):
    ahead = datetime.now(UTC) + timedelta(days=2)
    announce(settings, kickoff_at=ahead)
    with connect(settings, "model") as connection:
        insert_prediction(
            connection, clock="live", kickoff_at=ahead, predicted_at=ahead - timedelta(days=2, minutes=1),
            features_as_of=ahead - timedelta(days=3),
        )  # fmt: skip


def test_the_model_cannot_backdate_the_record_of_a_prediction(migrated: Settings):
    with connect(migrated, "model") as connection, pytest.raises(errors.InsufficientPrivilege):
        insert_prediction(connection, clock="live", recorded_at=KICKOFF - timedelta(days=1))


def test_the_same_model_on_the_same_features_is_one_prediction(migrated: Settings):
    with connect(migrated, "model") as connection:
        insert_prediction(connection, feature_hash="once")
        with pytest.raises(errors.UniqueViolation):
            insert_prediction(connection, feature_hash="once")
        connection.rollback()


def structure(settings: Settings) -> list[dict[str, Any]]:
    """Every table, column, constraint, trigger and right in our schemas."""
    schemas = "('landing', 'ledger', 'ops')"
    queries = (
        f"select table_schema, table_name, column_name, data_type, column_default from information_schema.columns "
        f"where table_schema in {schemas} order by 1, 2, 3",
        f"select conrelid::regclass::text as name, conname, pg_get_constraintdef(oid) as definition "
        f"from pg_constraint where connamespace::regnamespace::text in {schemas} order by 1, 2",
        f"select tgrelid::regclass::text as name, tgname, tgtype from pg_trigger inner join pg_class "
        f"on pg_class.oid = tgrelid where relnamespace::regnamespace::text in {schemas} and not tgisinternal "
        f"order by 1, 2",
        # Without who granted it, which is whoever owned the schema then.
        "select nspname, array(select format('%s %s', grantee::regrole, privilege_type) from aclexplode(nspacl) "
        "order by 1) as rights from pg_namespace where nspname !~ '^pg_' order by 1",
        f"select relname, relacl::text from pg_class where relnamespace::regnamespace::text in {schemas} order by 1",
        "select datacl::text from pg_database where datname = current_database()",
    )
    with connect(settings, "owner") as connection:
        return [row for query in queries for row in rows(connection, query)]


def test_down_to_nothing_and_up_again_gives_the_same_database(server: Settings):
    settings = server.model_copy(update={"database_name": "touchline_downgraded"})
    bootstrap.prepare(settings)
    try:
        before = structure(settings)
        announce(settings)
        with connect(settings, "model") as connection:
            insert_prediction(connection)
        for revision in (*reversed(OLDER), "base"):
            bootstrap.downgrade(settings, revision)
        with connect(settings, "owner") as connection:
            left = rows(
                connection,
                "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'",
            )
        assert left == [{"nspname": "public"}]
        for revision in (*OLDER, NEWEST):
            bootstrap.migrate(settings, revision)
            assert bootstrap.revisions(settings) == (revision, NEWEST)
        after = structure(settings)
        assert after == before
        with connect(settings, "model") as connection:
            assert scalar(connection, "select count(*) from ledger.prediction") == 0
        announce(settings)
        with connect(settings, "model") as connection:
            insert_prediction(connection)
    finally:
        with open_url(server.admin_url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(settings.warehouse_database))
            )


def test_ratings_of_another_shape_make_room_and_are_made_anew_with_all_that_reads_them(migrated: Settings):
    with connect(migrated, "transform") as connection:
        connection.execute("create table features.team_rating (elo float)")
        connection.execute("create view analytics.team_strength as select * from features.team_rating")
        for layer in ("core", "ratings", "features", "analytics"):
            connection.execute(
                "insert into ops.layer_build (layer, as_of, change_id, definition, is_full, run_id) "
                "values (%s, %s, 1, 'test', true, 'test')",
                (layer, SEEN),
            )
    bootstrap.downgrade(migrated, "0011")
    with connect(migrated, "transform") as connection:
        assert scalar(connection, "select to_regclass('features.team_rating')") is None
        assert rows(connection, "delete from ops.layer_build returning layer") == [{"layer": "core"}]
        connection.execute("create table features.team_rating (elo float)")
    bootstrap.migrate(migrated)
    with connect(migrated, "transform") as connection:
        assert scalar(connection, "select to_regclass('features.team_rating')") is None


def test_refusals_that_were_recorded_before_become_one_finding_in_all_versions_of_their_file(
    migrated: Settings,
):
    with connect(migrated, "ingest") as connection:
        for file in ("E0.csv", "E0.csv", "E1.csv"):
            connection.execute(
                "with stored as (insert into landing.payload (source, endpoint, observed_at, is_backfill, "
                "content_hash, n_bytes, body, run_id) values ('told', %s, %s, false, 'h', 1, 'b', 'told') "
                "returning payload_id) insert into landing.rejected_row (payload_id, row_number, scope, rule, field, "
                "value, reason, observed_at, run_id) select payload_id, 3, 'price', 'price_invalid', 'BWH', '0', "
                "'why', %s, 'told' from stored",
                (file, SEEN, SEEN),
            )
    bootstrap.downgrade(migrated, "0014")
    bootstrap.migrate(migrated)
    query = (
        "select count(distinct finding_key) as n, count(*) as records from landing.rejected_row "
        "where run_id = 'told'"
    )
    with connect(migrated, "owner") as connection:
        assert rows(connection, query) == [{"n": 2, "records": 3}]
        with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
            connection.execute("update landing.rejected_row set value = ''")


def test_migrating_a_migrated_database_changes_nothing(written: Settings):
    before = (everything(written), structure(written))
    bootstrap.prepare(written)
    assert (everything(written), structure(written)) == before


def test_a_database_that_a_newer_release_has_migrated_stays_as_it_is(settings: Settings):
    with connect(settings, "owner") as connection:
        connection.execute("update public.alembic_version set version_num = 'of a newer release'")
    bootstrap.prepare(settings)
    assert bootstrap.revisions(settings) == ("of a newer release", NEWEST)


def test_however_many_start_at_once_each_migration_is_made_once(server: Settings):
    """Six processes prepare a database that is not there yet; a migration that two make would fail."""
    settings = server.model_copy(update={"database_name": "touchline_at_once"})
    variables = {**inherited_environment(), **settings.environment()}
    try:
        starting = [
            subprocess.Popen(
                [sys.executable, "-c", PREPARE], env=variables, stderr=subprocess.PIPE, text=True
            )
            for _ in range(6)
        ]
        told = [each.communicate()[1] for each in starting]
        assert [each.returncode for each in starting] == [0] * 6, told
        assert bootstrap.revisions(settings) == (NEWEST, NEWEST)
    finally:
        with open_url(server.admin_url, autocommit=True) as admin:
            admin.execute("drop database if exists touchline_at_once with (force)")


def test_every_role_of_the_settings_exists_and_connects(migrated: Settings):
    for role in get_args(Role):
        with connect(migrated, role) as connection:
            assert scalar(connection, "select current_user") == f"touchline_{role}"


def test_the_read_only_role_does_not_see_raw_payloads(written: Settings):
    with connect(written, "api") as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute("select * from landing.payload")


def test_a_role_with_a_wrong_password_is_refused(migrated: Settings):
    good = migrated.url("api")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(good.replace(migrated.secrets["api"], "guess"), connect_timeout=5)


@pytest.fixture
def own_server() -> Iterator[Settings]:
    """An installation that a test may kill. Not below pytest's tmp_path, which another user cannot enter."""
    home = Path(tempfile.mkdtemp(prefix="touchline-own-"))
    home.chmod(0o755)
    settings = Settings(home=home, postgres_port=0)
    yield settings
    embedded.stop(settings)
    shutil.rmtree(home, ignore_errors=True)


def test_the_embedded_server_comes_back_after_kill_9(own_server: Settings):
    bootstrap.prepare(own_server)
    announce(own_server)
    with connect(own_server, "model") as connection:
        insert_prediction(connection)
    postmaster = read_life(own_server.home, embedded.NAME)
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while (found := read_life(own_server.home, embedded.NAME)) == postmaster and found.is_alive:
        assert time.monotonic() < deadline, "it did not die"
        time.sleep(0.01)
    with connect(own_server, "model") as connection:
        assert scalar(connection, "select count(*) from ledger.prediction") == 1
    embedded.stop(own_server)
    assert not embedded.is_running(own_server)
    with pytest.raises(DatabaseUnavailable, match="touchline up"), connect(own_server, "model"):
        pass
