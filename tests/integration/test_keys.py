"""`touchline keys`, and that a kill at any moment leaves a key that works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from served_world import World
from touchline import cli
from touchline.accounts import keys
from touchline.accounts.key_cache import key_of
from touchline.database.engine import connect, rows, scalar
from touchline.database.queries import query
from touchline.errors import KeyNotUsable, KeyUnknown, ProfileInvalid, TouchlineError, WarehouseNotBuilt
from touchline.operations.house import forget_uses
from touchline.settings import PROJECT_ROOT, Keep, Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs `touchline --json keys ...` on this test's database and gives what it prints, or raises what it raises."""
    return running_on(settings, monkeypatch)


def running_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str) -> Any:
        result = CliRunner().invoke(cli.app, ["--json", "keys", *arguments])
        if isinstance(result.exception, TouchlineError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return invoke


def objection(settings: Settings, key: str, after: timedelta = timedelta(0)) -> str | None:
    """What the API would say to a key after a while."""
    prefix, secret = keys.KEY.fullmatch(key).groups()
    with (
        connect(settings, "access") as connection,
        psycopg.RawCursor(connection, row_factory=psycopg.rows.dict_row) as cursor,
    ):
        known = key_of(cursor.execute(query("accounts/sql/key"), (prefix,)).fetchall())
    assert known is not None
    return known.objection_to(keys.digest_of(secret), (datetime.now(UTC) + after).timestamp())


def test_a_key_is_made_listed_rotated_and_revoked(run: Callable[..., Any], settings: Settings):
    made = run("create", "a paper", "--scope", "profile", "--scope", "read", "--expires", "90d")
    assert keys.KEY.fullmatch(made["key"]).group(1) == made["prefix"]
    assert made["scopes"] == ["read", "profile"]
    assert objection(settings, made["key"]) is None
    assert objection(settings, made["key"], timedelta(days=89)) is None
    assert objection(settings, made["key"], timedelta(days=91)) == "has expired"
    rotated = run("rotate", made["prefix"], "--grace", "2h")
    assert rotated["prefix"] == made["prefix"]
    assert objection(settings, rotated["key"]) is None
    assert objection(settings, made["key"], timedelta(hours=1)) is None
    assert objection(settings, made["key"], timedelta(hours=3)) == "was rotated, and this is the old one"
    forever = run("create", "a robot", "--expires", "never")
    assert (forever["expires_at"], forever["scopes"]) == (None, ["read"])
    listed = {key["prefix"]: key for key in run("list")}
    assert listed[made["prefix"]]["n_secrets"] == 2
    assert {key["state"] for key in listed.values()} == {"valid"}
    assert made["key"] not in json.dumps(run("list"))
    assert run("revoke", made["key"]) == {"revoked": made["prefix"]}
    assert run("revoke", made["prefix"]) == {"revoked": made["prefix"]}
    assert objection(settings, rotated["key"]) == "was revoked"
    with pytest.raises(KeyNotUsable, match="was revoked"):
        run("rotate", made["prefix"])
    with connect(settings, "owner") as connection:
        noted = rows(connection, "select actor, action, object from ops.audit_log order by audit_log_id")
    subject = f"ops.api_key {made['prefix']}"
    assert [row["action"] for row in noted if row["object"] == subject] == [
        "create key",
        "rotate key",
        "revoke key",
    ]
    assert {row["actor"] for row in noted} == {"touchline_owner"}


def test_an_expired_key_lives_again_with_a_new_end(run: Callable[..., Any], settings: Settings):
    at = datetime.now(UTC) - timedelta(days=10)
    with connect(settings, "owner") as connection:
        old = keys.create(connection, "late", ["read"], at, at + timedelta(days=5))
    assert [key["state"] for key in run("list")] == ["expired"]
    with pytest.raises(KeyNotUsable, match=r"has expired .* --expires"):
        run("rotate", old.prefix)
    assert objection(settings, run("rotate", old.prefix, "--expires", "1d")["key"]) is None


def test_a_key_that_nobody_has_is_refused_with_the_nearest(run: Callable[..., Any]):
    with pytest.raises(KeyUnknown, match="`touchline keys list`"):
        run("revoke", "tl_aaaaaaaa")
    prefix = run("create", "a paper")["prefix"]
    for command in (["revoke"], ["rotate"], ["profile", "show"], ["profile", "set"]):
        with pytest.raises(KeyUnknown, match=f"did you mean {prefix}"):
            run(*command, f"{prefix[:-1]}1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", ""],
        ["create", "a\x00b"],
        ["create", "x" * 201],
        ["create", "x", "--scope", "write"],
        ["create", "x", "--expires", "soon"],
        ["create", "x", "--expires", "0d"],
        ["create", "x", "--expires", "999999d"],
        ["create", "x", "--limit", "much"],
        ["rotate", "tl_aaaaaaaa", "--grace", "-1h"],
        ["rotate", "tl_aaaaaaaa", "--expires", "never"],
    ],
    ids=ascii,
)
def test_wrong_usage_is_told_and_nothing_is_made(
    settings: Settings, run: Callable[..., Any], arguments: list[str]
):
    result = CliRunner().invoke(cli.app, ["keys", *arguments])
    assert result.exit_code == 2, result.output
    with connect(settings, "owner") as connection:
        assert rows(connection, "select * from ops.api_key") == []


def test_the_table_of_keys_and_the_key_alone_in_a_line(settings: Settings, run: Callable[..., Any]):
    made = CliRunner().invoke(cli.app, ["keys", "create", "[bold]a paper[/]"])
    assert keys.KEY.fullmatch(made.output.splitlines()[0])
    assert "not shown again" in made.output
    assert "[bold]a paper[/]" in CliRunner().invoke(cli.app, ["keys", "list"]).output


def test_a_profile_is_written_by_hand_as_by_the_user(module_world: World, monkeypatch: pytest.MonkeyPatch):
    run = running_on(module_world.settings, monkeypatch)
    key = run("create", "a fan", "--scope", "profile")["prefix"]
    assert run("profile", "show", key)["updated_at"] is None
    written = run(
        "profile", "set", key, "--competition", "E0", "--team", "Arsenal", "--team", "Leeds", "--zone", "Europe/Berlin",
        "--odds", "fractional", "--language", "de", "--kickoff-soon", "60", "--moved", "0.05", "--settled", "24",
    )["profile"]  # fmt: skip
    assert written == {
        "competitions": ["E0"], "teams": ["Arsenal", "Leeds"], "time_zone": "Europe/Berlin",
        "odds_format": "fractional", "language": "de",
        "alerts": {"kickoff_soon_minutes": 60, "prediction_moved": 0.05, "settled_hours": 24},
    }  # fmt: skip
    changed = run("profile", "set", key, "--team", "", "--moved", "0")["profile"]
    assert changed == {**written, "teams": [], "alerts": {**written["alerts"], "prediction_moved": None}}
    for arguments, told in (
        (["--team", "Arsenl"], "did you mean Arsenal"),
        (["--competition", "EO"], "there is no competition 'EO'"),
        (["--zone", "Europe/Brlin"], "did you mean Europe/Berlin"),
        (["--odds", "roman"], "odds_format: Input should be 'decimal'"),
        (["--moved", "7"], "alerts.prediction_moved: Input should be less than 1"),
    ):
        with pytest.raises(ProfileInvalid, match=told):
            run("profile", "set", key, *arguments)
    assert run("profile", "show", key)["profile"] == changed
    shown = CliRunner().invoke(cli.app, ["keys", "profile", "show", key]).output
    assert "Europe/Berlin" in shown


def test_a_profile_waits_for_the_warehouse(run: Callable[..., Any]):
    key = run("create", "a fan", "--scope", "profile")["prefix"]
    with pytest.raises(WarehouseNotBuilt, match="touchline build"):
        run("profile", "set", key, "--team", "Arsenal")


def rotating(settings: Settings, prefix: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    variables = {**os.environ, **settings.environment(), "PYTHONPATH": str(PROJECT_ROOT / "include")}
    return subprocess.Popen(
        [sys.executable, "-m", "touchline.cli", "--json", "keys", "rotate", prefix, "--grace", "1h"],
        env=variables,
        stdout=subprocess.PIPE,
    )


def await_lock(settings: Settings) -> None:
    """Until a statement of somebody waits for a row of somebody else."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with psycopg.connect(settings.url("owner"), autocommit=True) as connection:
        while not scalar(connection, query):
            time.sleep(0.02)


@pytest.mark.parametrize("locked", ["api_key", "api_key_secret"])
def test_a_kill_in_the_middle_of_a_rotation_leaves_the_key_as_it_was(settings: Settings, locked: str):
    at = datetime.now(UTC)
    with connect(settings, "owner") as connection:
        old = keys.create(connection, "a paper", ["read"], at, None)

    def stored() -> list[dict[str, Any]]:
        with connect(settings, "owner") as other:
            return [
                *rows(other, "select * from ops.api_key"),
                *rows(other, "select * from ops.api_key_secret"),
            ]

    before = stored()
    with connect(settings, "owner") as holder:
        holder.execute(f"select from ops.{locked} where prefix = %s for update", (old.prefix,))
        with rotating(settings, old.prefix) as process:
            await_lock(settings)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        holder.rollback()
        # The server notices when it has the row, and undoes what was done.
        holder.execute("select from ops.api_key where prefix = %s for update", (old.prefix,))
    assert stored() == before
    assert objection(settings, old.key) is None
    with rotating(settings, old.prefix) as process:
        assert process.stdout is not None
        new = json.loads(process.stdout.read())["key"]
    assert [objection(settings, key) for key in (old.key, new)] == [None, None]


def test_who_lost_the_new_secret_rotates_again_while_the_old_one_works(settings: Settings):
    at = datetime.now(UTC)
    with connect(settings, "owner") as connection:
        old = keys.create(connection, "a paper", ["read"], at, None)
    with connect(settings, "owner") as connection:
        keys.rotate(connection, old.prefix, at, timedelta(hours=2))
    # Killed after the commit, before anything was printed.
    with connect(settings, "owner") as connection:
        new = keys.rotate(connection, old.prefix, at + timedelta(hours=1), timedelta(hours=2))
    assert objection(settings, old.key, timedelta(minutes=119)) is None
    assert objection(settings, old.key, timedelta(minutes=121)) == "was rotated, and this is the old one"
    assert objection(settings, new.key, timedelta(days=365)) is None


def test_two_who_rotate_at_once_both_get_a_key_that_works(settings: Settings):
    with connect(settings, "owner") as connection:
        old = keys.create(connection, "a paper", ["read"], datetime.now(UTC), None)
    with rotating(settings, old.prefix) as first, rotating(settings, old.prefix) as second:
        made = [json.loads(process.stdout.read())["key"] for process in (first, second) if process.stdout]
    assert [objection(settings, key) for key in (old.key, *made)] == [None] * 3


def test_the_audit_log_of_uses_only_grows_whoever_writes_it(settings: Settings):
    at = datetime.now(UTC)
    with connect(settings, "owner") as connection:
        key = keys.create(connection, "a paper", ["read"], at, None).prefix
    values = (key, at, "/v1/models", 200, "00000000-0000-0000-0000-000000000001", 5)
    with connect(settings, "access") as connection:
        connection.execute("insert into ops.api_key_use values (%s, %s, %s, %s, %s, %s)", values)
    for statement in (
        "update ops.api_key_use set n = n - 1",
        "update ops.api_key_use set minute = minute - interval '1 hour'",
        "delete from ops.api_key_use",
        "truncate ops.api_key_use",
        "update ops.api_key set revoked_at = null",
        "update ops.api_key_secret set expires_at = null",
        "insert into ops.audit_log (action, object, reason) values ('create key', 'x', 'y')",
        "select from core.competition",
        "select from ledger.prediction",
    ):
        with (
            connect(settings, "access") as connection,
            pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)),
        ):
            connection.execute(statement)
    with connect(settings, "access") as connection:
        connection.execute("update ops.api_key_use set n = n + 1")
        assert scalar(connection, "select n from ops.api_key_use") == 6
    with connect(settings, "api") as connection:
        for table in ("api_key", "api_key_secret", "user_profile", "api_key_use", "api_rate"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select from ops.{table}")
            connection.rollback()


def test_uses_go_after_their_time_but_for_the_last_of_each_key(settings: Settings):
    now = datetime.now(UTC)
    with connect(settings, "owner") as connection:
        busy, silent = (keys.create(connection, "a paper", ["read"], now, None).prefix for _ in range(2))
    process = "00000000-0000-0000-0000-000000000001"
    with connect(settings, "access") as connection:
        for key, days in ((busy, 0), (busy, 399), (busy, 401), (silent, 500), (silent, 900)):
            row = (key, now - timedelta(days=days), "/v1/models", 200, process, 5)
            connection.execute("insert into ops.api_key_use values (%s, %s, %s, %s, %s, %s)", row)
    report = forget_uses(settings, Keep().use_days)
    assert report.summary == "2 use(s) of keys, older than 400 days, deleted."
    query = "select prefix, (%s::date - minute::date) as days from ops.api_key_use"
    with connect(settings, "access") as connection:
        found = {(row["prefix"], row["days"]) for row in rows(connection, query, (now,))}
    assert found == {(busy, 0), (busy, 399), (silent, 500)}
    assert forget_uses(settings, Keep().use_days).n_rows == 0
