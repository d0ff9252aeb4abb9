"""Backups of a real server: whole, incremental, damaged, restored to an instant, and compared with their source."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from benchmarks.own_server import own_server
from typer.testing import CliRunner

from predictions import announce, insert_prediction
from touchline.backup.compare import check_backup, differences, digest_tables
from touchline.backup.programs import system_identifier
from touchline.backup.receive import received_folder
from touchline.backup.restore import restore, restored
from touchline.backup.store import MANIFEST, Store, open_store
from touchline.backup.take import DATABASE, FILES, SERVER_MANIFEST, back_up
from touchline.cli import app
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.errors import BackupFailed, BackupUnusable, SettingsInvalid
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS
from touchline.settings import PROJECT_ROOT, Backup, Settings

pytestmark = pytest.mark.slow

SHIP_SECONDS = 0.2
RECEIVE = f"""
from threading import Event
from touchline.backup.receive import receive
from touchline.settings import read_settings
receive(read_settings(), Event(), {SHIP_SECONDS})
"""


@contextmanager
def receiving(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """The service that ships the log, which ships more often here."""
    variables = {**settings.environment(), **settings.passwords("backup"), "PATH": "/usr/bin:/bin"}
    variables["PYTHONPATH"] = str(PROJECT_ROOT / "include")
    with subprocess.Popen([sys.executable, "-c", RECEIVE], env=variables) as process:
        try:
            await_shipping(settings)
            yield process
        finally:
            for each in (*psutil.Process(process.pid).children(), psutil.Process(process.pid)):
                each.kill()


def await_shipping(settings: Settings) -> None:
    """Wait until all that has happened so far is in the folder of backups."""
    store, system, now = open_store(settings), system_identifier(settings), datetime.now(UTC)
    while not store.reaches(system, now):
        time.sleep(0.05)


def predict(settings: Settings, version: str) -> datetime:
    """Write a prediction to the ledger; returns a time after it."""
    with connect(settings, "model") as connection:
        insert_prediction(connection, model_version=version)
    time.sleep(0.05)
    return datetime.now(UTC)


def predicted(settings: Settings) -> list[str]:
    """The versions of the models that have predicted."""
    with connect(settings, "api") as connection:
        return [
            row["model_version"]
            for row in rows(connection, "select model_version from ledger.prediction order by prediction_id")
        ]


@dataclass(frozen=True)
class World:
    """An installation that has been backed up; when each prediction was there."""

    settings: Settings
    store: Store
    after: dict[str, datetime]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Predictions 1 to 4: 1 is in a full backup, 2 in an incremental one, 3 and 4 only in the log."""
    folder = tmp_path_factory.mktemp("backups")
    with own_server(
        database_name="touchline", source="football-data-uk", backup=Backup(folder=folder)
    ) as settings:
        announce(settings)
        model = settings.home / "mlflow" / "1" / "model.txt"
        model.parent.mkdir(parents=True)
        model.write_text("the first model")
        with receiving(settings):
            after = {"1": predict(settings, "1")}
            back_up(settings)
            model.with_name("second.txt").write_text("the second model")
            after["2"] = predict(settings, "2")
            back_up(settings)
            after["3"] = predict(settings, "3")
            after["4"] = predict(settings, "4")
            await_shipping(settings)
            yield World(settings, open_store(settings), after)


def test_the_second_backup_holds_only_what_has_changed_since_the_first(world: World):
    full, incremental, *_ = world.store.backups()
    assert (full.kind, incremental.kind, incremental.parent) == ("full", "incremental", full.backup_id)
    assert incremental.n_bytes < full.n_bytes / 4


def test_a_restore_has_everything_up_to_the_end_of_the_log_and_can_be_run(world: World, tmp_path: Path):
    with restored(world.settings, tmp_path / "home") as done:
        assert predicted(done.settings) == ["1", "2", "3", "4"]
        with open_url(
            done.settings.url_for("postgres", done.settings.secrets["postgres"], "postgres")
        ) as admin:
            assert scalar(admin, "select current_setting('restore_command')") != ""
    assert (tmp_path / "home" / "mlflow" / "1" / "model.txt").read_text() == "the first model"
    assert (tmp_path / "home" / "mlflow" / "1" / "second.txt").read_text() == "the second model"
    home = Settings(
        home=tmp_path / "home", postgres_port=0, source="football-data-uk", database_name="touchline"
    )
    assert [home.secrets[name] for name in ("postgres", "owner", "api")] == [
        world.settings.secrets[name] for name in ("postgres", "owner", "api")
    ]
    variables = {**home.environment(), "TOUCHLINE_POSTGRES_PORT": "0", "PATH": "/usr/bin:/bin"}
    for what in ("start", "stop"):
        command = [sys.executable, "-m", "touchline.cli", "database", what]
        subprocess.run(command, env=variables, check=True, capture_output=True)


def test_a_restore_to_a_time_between_two_predictions_has_the_first_and_not_the_second(
    world: World, tmp_path: Path
):
    with restored(world.settings, tmp_path / "home", at=world.after["3"]) as done:
        assert predicted(done.settings) == ["1", "2", "3"]


def test_a_restore_to_a_time_after_which_nothing_happened_is_the_end_of_the_log(world: World, tmp_path: Path):
    with restored(world.settings, tmp_path / "home", at=world.after["4"]) as done:
        assert predicted(done.settings) == ["1", "2", "3", "4"]


def test_a_time_that_the_log_does_not_reach_is_refused(world: World, tmp_path: Path):
    with pytest.raises(BackupFailed, match="recovery ended before"):
        restore(world.settings, tmp_path / "home", at=datetime.now(UTC) + timedelta(days=1))


def test_a_time_before_the_first_backup_is_refused_with_those_there_are(world: World, tmp_path: Path):
    first, *_ = world.store.backups()
    with pytest.raises(BackupUnusable, match=rf"no backup finished before .* there are: {first.backup_id}"):
        restore(world.settings, tmp_path / "home", at=first.started_at)


def test_every_table_of_a_restore_equals_the_source_while_others_write(world: World):
    report = check_backup(world.settings)
    with connect(world.settings, "backup") as connection:
        n = scalar(connection, "select count(*) from ledger.prediction")
    assert report.n_rows > n > 0
    assert report.n_tables > 40


def test_a_digest_tells_a_changed_row_and_not_another_order(world: World):
    with connect(world.settings, "ingest") as connection:
        connection.execute("create temporary table one as select generate_series(1, 3) as n")
    with connect(world.settings, "backup") as connection:
        before = digest_tables(connection)
    with connect(world.settings, "owner") as connection:
        connection.execute("update ops.world set first_source = 'another'")
        after = digest_tables(connection)
        connection.rollback()
        connection.execute("alter table ops.world rename to moved")
        moved = digest_tables(connection)
        connection.rollback()
    (told,) = differences(before, after)
    assert told.startswith("ops.world: 1 rows (1:")
    assert [line.partition(":")[0] for line in differences(before, moved)] == ["ops.moved", "ops.world"]
    assert differences(before, before) == []


@pytest.mark.parametrize("name", [DATABASE, FILES])
@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_a_damaged_backup_is_told_and_the_one_before_still_restores(
    world: World, tmp_path: Path, name: str, damage: str
):
    folder = tmp_path / "copy"
    shutil.copytree(world.store.folder, folder)
    settings = world.settings.model_copy(update={"backup": Backup(folder=folder)})
    full, last, *_ = open_store(settings).backups()
    path = folder / last.backup_id / name
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:middle])
    with pytest.raises(BackupUnusable, match=rf"{name} is damaged"):
        restore(settings, tmp_path / "home", backup_id=last.backup_id)
    if (name, damage) == (DATABASE, "flipped"):
        with restored(settings, tmp_path / "from_full", backup_id=full.backup_id) as done:
            assert predicted(done.settings) == ["1", "2", "3", "4"]


def test_after_a_damaged_backup_the_next_is_a_full_one(world: World, tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(world.store.folder, folder)
    settings = world.settings.model_copy(update={"backup": Backup(folder=folder)})
    last = open_store(settings).backups()[-1]
    (folder / last.backup_id / SERVER_MANIFEST).write_bytes(b"damaged")
    taken = back_up(settings)
    assert (taken.backup.kind, taken.backup.parent) == ("full", None)
    assert f"{SERVER_MANIFEST} is damaged" in taken.reason


def test_a_backup_without_the_one_it_continues_is_told(world: World, tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(world.store.folder, folder)
    settings = world.settings.model_copy(update={"backup": Backup(folder=folder)})
    full, last, *_ = open_store(settings).backups()
    shutil.rmtree(folder / full.backup_id)
    with pytest.raises(BackupUnusable, match=f"{last.backup_id} needs {full.backup_id}"):
        restore(settings, tmp_path / "home", backup_id=last.backup_id)
    (folder / last.backup_id / MANIFEST).write_text("{")
    with pytest.raises(BackupUnusable, match=r"manifest.json cannot be read .* move its folder away"):
        restore(settings, tmp_path / "home")


def test_without_the_key_nothing_can_be_read(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stranger = Settings(
        home=tmp_path / "stranger", source="football-data-uk", database_name="touchline",
        backup=world.settings.backup,
    )  # fmt: skip
    with pytest.raises(BackupUnusable, match=r"cannot be decrypted .* TOUCHLINE_BACKUP_KEY"):
        restore(stranger, tmp_path / "home")
    # On a new machine the key is all that is needed.
    told = Settings(
        home=tmp_path / "stranger", source="football-data-uk", database_name="touchline",
        backup=Backup(folder=world.store.folder, key=world.store.key),
    )  # fmt: skip
    with restored(told, tmp_path / "again") as done:
        assert predicted(done.settings) == ["1", "2", "3", "4"]


def test_what_is_kept_is_not_to_be_read_by_others(world: World):
    marks = [b"the first model", b"00000000-0000-0000-0000-000000000001", b"ledger"]
    marks += [value.encode() for value in world.settings.secrets.values()]
    for path in world.store.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [mark for mark in marks if mark in content], path


def test_only_an_empty_folder_is_restored_into(world: World, tmp_path: Path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(SettingsInvalid, match="is not empty"):
        restore(world.settings, tmp_path)


def test_what_no_restore_needs_is_forgotten_and_the_rest_still_restores(world: World, tmp_path: Path):
    folder = tmp_path / "copy"
    shutil.copytree(world.store.folder, folder)
    settings = world.settings.model_copy(update={"backup": Backup(folder=folder)})
    store, system = open_store(settings), system_identifier(settings)
    full, incremental, *_ = store.backups()
    # The incremental one needs the full one.
    assert store.forget(system, incremental.finished_at) == []
    newer = back_up(settings, is_full=True).backup
    assert store.forget("another server", newer.finished_at) == []
    assert (
        store.forget(system, newer.finished_at)
        == [
            each.backup_id
            for each in (full, incremental, *store.backups())
            if each.backup_id < newer.backup_id
        ][:2]
    )
    assert not [name for name in store.wal(system) if name < newer.start_wal]
    with restored(settings, tmp_path / "home", backup_id=newer.backup_id) as done:
        assert predicted(done.settings)[:4] == ["1", "2", "3", "4"]


def test_a_killed_receiver_loses_nothing(tmp_path: Path):
    backup = Backup(folder=tmp_path / "backups")
    with own_server(database_name="touchline", source="football-data-uk", backup=backup) as settings:
        announce(settings)
        with receiving(settings):
            predict(settings, "1")
            back_up(settings)
        # It is dead, and the server goes on.
        predict(settings, "2")
        with connect(settings, "owner") as connection:
            connection.execute(
                "create table public.much as select repeat('x', 1000) from generate_series(1, 40000)"
            )
        with receiving(settings):
            predict(settings, "3")
            await_shipping(settings)
            assert not [path for path in received_folder(settings).iterdir() if ".partial" not in path.name]
            with restored(settings, tmp_path / "home") as done:
                assert predicted(done.settings) == ["1", "2", "3"]


def test_a_killed_backup_leaves_none_and_the_next_is_whole(world: World, tmp_path: Path):
    folder = tmp_path / "backups"
    settings = world.settings.model_copy(update={"backup": Backup(folder=folder)})
    imports = "from touchline.backup.take import back_up; from touchline.settings import read_settings"
    code = f"{imports}; back_up(read_settings())"
    variables = {**settings.environment(), **settings.passwords("backup"), "PATH": "/usr/bin:/bin"}
    variables["PYTHONPATH"] = str(PROJECT_ROOT / "include")
    process = subprocess.Popen([sys.executable, "-c", code], env=variables)
    while not list(folder.glob("*/*")):
        time.sleep(0.01)
    process.kill()
    process.wait()
    store = open_store(settings)
    assert store.backups() == []
    assert back_up(settings).backup.kind == "full"
    assert len(store.backups()) == 1


def test_without_a_folder_the_step_says_that_backups_are_off(settings: Settings):
    with pytest.raises(SettingsInvalid, match="set TOUCHLINE_BACKUP_FOLDER"):
        open_store(settings)
    for name in ("back_up", "check_backup"):
        outcome = run_step(settings, STEPS[name], "test", datetime(2026, 3, 10, tzinfo=UTC))
        assert outcome.summary.startswith("Backups are off")


def test_the_command_takes_lists_checks_and_restores(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {**world.settings.environment(), **world.settings.passwords("backup")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOUCHLINE_AS_OF", "2026-03-10")
    n = len(world.store.backups())
    for arguments, said in (
        (["backup"], "incremental backup"), (["backup", "--list"], world.store.backups()[0].backup_id),
        (["backup", "--check"], "equal the source's"),
        (["restore", "--to", str(tmp_path / "home"), "--at", world.after["3"].isoformat()], "TOUCHLINE_HOME="),
    ):  # fmt: skip
        told = CliRunner().invoke(app, arguments)
        assert told.exit_code == 0, (told.output, told.exception)
        assert said in told.output
    assert len(world.store.backups()) == n + 1
