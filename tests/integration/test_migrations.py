"""The database itself keeps the promises: append-only tables, least privilege, both ways of every migration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from touchline.database import bootstrap, embedded
from touchline.database.engine import connect, rows, scalar
from touchline.errors import DatabaseUnavailable
from touchline.settings import ROLES, Role, Settings

NOW = datetime(2023, 3, 10, tzinfo=UTC)
APPEND_ONLY = (
    "landing.payload", "landing.payload_seen", "landing.payload_parsed", "landing.rejected_row",
    "landing.fixture_observation", "landing.score_observation", "landing.odds_observation",
    "landing.odds_observation_202303", "ledger.prediction", "ledger.prediction_outcome",
)  # fmt: skip
PREDICTION: dict[str, Any] = {
    "prediction_id": "0195b7a0-0000-7000-8000-000000000001", "match_id": "0195b7a0-0000-7000-8000-00000000000a",
    "competition": "E0", "season": "2022/23", "home_team": "Arsenal", "away_team": "Chelsea",
    "kickoff_at": NOW + timedelta(days=1), "model_name": "m", "model_version": "1", "forecast": "elo",
    "role": "champion", "predicted_at": NOW, "features_as_of": NOW, "clock": "virtual", "p_home": 0.5,
    "p_draw": 0.3, "p_away": 0.2, "expected_home_goals": 1.5, "expected_away_goals": 1.0, "scoreline_grid": [[1.0]],
    "features": "{}", "feature_hash": "h", "feature_store": "online", "is_simulated": False, "run_id": "test",
}  # fmt: skip


def predict(connection: psycopg.Connection[Any], **changes: Any) -> None:
    row = {**PREDICTION, **changes}
    values = ", ".join(f"%({name})s" for name in row)
    connection.execute(f"insert into ledger.prediction ({', '.join(row)}) values ({values})", row)


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """One row in every append-only table."""
    with connect(settings, "ingest") as connection:
        connection.execute("select landing.ensure_odds_partition(%s)", (NOW,))
        connection.execute(
            "insert into landing.payload (source, endpoint, observed_at, is_backfill, content_hash, n_bytes, body, run_id)"
            " values ('s', 'e', %(now)s, true, '', 0, '', 'r');"
            "insert into landing.payload_seen values (1, %(now)s, 'r');"
            "insert into landing.payload_parsed values (1, 1, 1, 0, 1, 1, 1, 0, 'r');"
            "insert into landing.rejected_row (payload_id, row_number, scope, rule, reason, observed_at, run_id)"
            " values (1, 1, 'row', 'x', 'x', %(now)s, 'r');"
            "insert into landing.fixture_observation values (gen_random_uuid(), 's', 'E0', '2022/23', 'A', 'B',"
            " %(now)s, %(now)s, true, 'played', 1, 1, %(now)s, %(now)s, %(now)s);"
            "insert into landing.score_observation (fixture_key, source, home_goals, away_goals, payload_id, row_number,"
            " published_at, observed_at, known_at) values (gen_random_uuid(), 's', 1, 0, 1, 1, %(now)s, %(now)s, %(now)s);"
            "insert into landing.odds_observation (fixture_key, bookmaker, market, is_closing, payload_id, row_number,"
            " quoted_at, observed_at, known_at) values (gen_random_uuid(), 'B365', '1x2', false, 1, 1, %(now)s, %(now)s,"
            " %(now)s)".replace("%(now)s", f"'{NOW.isoformat()}'")
        )
    with connect(settings, "model") as connection:
        predict(connection)
        connection.execute(
            "insert into ledger.prediction_outcome values (%s, 1, 1, 0, 'home', 0, 0, 0, true, null, null, null, null,"
            " %s, 'r')",
            (PREDICTION["prediction_id"], NOW),
        )
    return settings


@pytest.mark.parametrize("role", ROLES)
def test_no_role_can_change_what_was_written(filled: Settings, role: Role):
    for table in APPEND_ONLY:
        for statement in (f"update {table} set run_id = 'x'" if "observation" not in table else
                          f"update {table} set payload_id = 2", f"delete from {table}", f"truncate {table} cascade"):  # fmt: skip
            with pytest.raises(errors.InsufficientPrivilege), connect(filled, role) as connection:
                connection.execute(statement)


def test_the_owner_may_repair_with_a_reason_and_it_is_written_down(filled: Settings):
    with connect(filled, "owner") as connection:
        connection.execute("set local touchline.bypass_reason = 'erasure order 17'")
        connection.execute("delete from landing.rejected_row")
    with connect(filled, "owner") as connection:
        (entry,) = rows(connection, "select actor, action, object, reason from ops.audit_log")
        assert entry == {"actor": "touchline_owner", "action": "DELETE", "object": "landing.rejected_row",
                         "reason": "erasure order 17"}  # fmt: skip
        assert scalar(connection, "select count(*) from landing.rejected_row") == 0


def test_the_bypass_is_the_owners_alone(filled: Settings):
    with connect(filled, "owner") as connection:
        connection.execute("grant delete on landing.rejected_row to touchline_ingest")
    with pytest.raises(errors.InsufficientPrivilege, match="append-only"), connect(filled, "ingest") as connection:
        connection.execute("set local touchline.bypass_reason = 'I would like to'")
        connection.execute("delete from landing.rejected_row")


@pytest.mark.parametrize("statement", ["update ops.audit_log set reason = ''", "delete from ops.audit_log"])
def test_not_even_the_owner_edits_the_audit_log(filled: Settings, statement: str):
    with pytest.raises(errors.InsufficientPrivilege), connect(filled, "owner") as connection:
        connection.execute("set local touchline.bypass_reason = 'because'")
        connection.execute(statement)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("api", "insert into ledger.prediction_outcome select * from ledger.prediction_outcome"),
        ("api", "create table core.mine (x int)"),
        ("ingest", "insert into ledger.prediction select * from ledger.prediction"),
        ("transform", "insert into landing.payload_seen values (1, now(), 'x')"),
        ("model", "insert into landing.payload_seen values (1, now(), 'x')"),
        ("api", "select * from landing.payload"),
    ],
)
def test_each_role_can_do_its_own_work_only(filled: Settings, role: Role, statement: str):
    with pytest.raises(errors.InsufficientPrivilege), connect(filled, role) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"kickoff_at": NOW}, "predicted_before_kickoff"),
        ({"features_as_of": NOW + timedelta(seconds=1)}, "features_before_prediction"),
        ({"p_home": 0.6}, "probabilities_sum_to_one"),
        ({"clock": "live"}, "recorded_before_kickoff"),
    ],
)
def test_the_ledger_refuses_what_a_prediction_must_not_be(settings: Settings, changes: dict[str, Any], constraint: str):
    with pytest.raises(errors.CheckViolation, match=constraint), connect(settings, "model") as connection:
        predict(connection, **changes)


def test_down_to_nothing_and_up_again(settings: Settings):
    assert bootstrap.revisions(settings)[0] == bootstrap.revisions(settings)[1]
    bootstrap.downgrade(settings, "base")
    with connect(settings, "owner") as connection:
        assert scalar(connection, "select to_regclass('landing.payload')") is None
    bootstrap.migrate(settings)
    for revision in ("0002", "0001", "0002", "head"):
        (bootstrap.migrate if revision in ("head", "0002") else bootstrap.downgrade)(settings, revision)
        if revision == "0002":
            bootstrap.downgrade(settings, revision)
    with connect(settings, "ingest") as connection:
        assert scalar(connection, "select count(*) from landing.payload") == 0


@pytest.fixture
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    import shutil
    import tempfile

    home = Path(tempfile.mkdtemp(prefix="touchline-own-"))
    home.chmod(0o755)
    settings = Settings(home=home, postgres_port=0)
    yield settings
    embedded.stop(settings)
    shutil.rmtree(home, ignore_errors=True)


def test_the_embedded_server_comes_back_after_kill_9(own_server: Settings):
    bootstrap.prepare(own_server)
    with connect(own_server, "model") as connection:
        predict(connection)
    server = embedded.describe(own_server)
    os.kill(int((server.data / "postmaster.pid").read_text().splitlines()[0]), 9)
    bootstrap.prepare(own_server)
    with connect(own_server, "model") as connection:
        assert scalar(connection, "select count(*) from ledger.prediction") == 1
    embedded.stop(own_server)
    assert not embedded.is_running(own_server)
    with pytest.raises(DatabaseUnavailable, match="touchline up"), connect(own_server, "model"):
        pass


def test_secrets_are_readable_by_their_owner_only(server: Settings):
    assert (server.home / "secrets.json").stat().st_mode & 0o077 == 0
