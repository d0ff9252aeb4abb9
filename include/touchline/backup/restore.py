"""Restore a backup into a folder of its own: a whole home, as of any instant that the log reaches."""

from __future__ import annotations

import os
import shutil
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

from psycopg import sql
from psycopg.pq import PGconn, Ping

from touchline.backup import programs
from touchline.backup.store import BLOCK, KEY, Backup, Store, is_before, open_store
from touchline.backup.take import DATABASE, FILES
from touchline.clock import live_clock
from touchline.credentials import write_private
from touchline.database import embedded
from touchline.database.engine import open_url, scalar
from touchline.errors import BackupFailed, BackupUnusable, SettingsInvalid
from touchline.settings import Settings
from touchline.supervision.programs import HOST, free_port

# A server reads an hour of its log in a minute or two.
RECOVERY_SECONDS: Final = 4 * 3600
CONFIGURATION: Final = "postgresql.auto.conf"
LOG: Final = "restore.log"
RULES: Final = "restore_hba.conf"
# What PostgreSQL says when no transaction of its log ended after the time that was asked for.
ENDED_EARLY: Final = "recovery ended before configured recovery target was reached"
# Set for the recovery, and gone after it.
OF_RECOVERY: Final = (
    "restore_command", "recovery_target_time", "recovery_target_name", "recovery_target_action", "hot_standby",
)  # fmt: skip


@dataclass(frozen=True)
class RestoreReport:
    """What was restored where; `recovered_to` is the last transaction's end (UTC), None when none is in the log."""

    backup_id: str
    home: Path
    recovered_to: datetime | None
    seconds: float

    @property
    def summary(self) -> str:
        """One sentence."""
        until = "" if self.recovered_to is None else f", up to {self.recovered_to:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.backup_id} restored into {self.home}{until}, in {self.seconds:.0f} s."


@dataclass(frozen=True)
class Restored:
    """A restored installation whose server runs until its block ends."""

    settings: Settings
    report: RestoreReport


def restore(
    settings: Settings, to: Path, at: datetime | None = None, backup_id: str | None = None
) -> RestoreReport:
    """Restore into an empty folder, which becomes a home: `TOUCHLINE_HOME=<to> touchline up` runs it.

    As of `at` (UTC), or as late as the log reaches; from the last backup before, or from the one that is named. Raises
    SettingsInvalid when backups are off or the folder is not empty, BackupUnusable when what is there cannot be
    restored, BackupFailed with what PostgreSQL said.
    """
    with restored(settings, to, at=at, backup_id=backup_id) as done:
        return done.report


@contextmanager
def restored(
    settings: Settings,
    to: Path,
    *,
    at: datetime | None = None,
    name: str | None = None,
    backup_id: str | None = None,
) -> Iterator[Restored]:
    """`restore`, or the same up to a restore point of the log by its name; the server runs during the block."""
    began = live_clock().as_of
    store = open_store(settings)
    if to.exists() and any(to.iterdir()):
        raise SettingsInvalid(f"{to} is not empty: name a folder that is, or none yet")
    backup = _chosen(store, at, backup_id)
    chain = store.chain(backup)
    home = settings.model_copy(update={"home": to, "database_url": None, "postgres_port": 0})
    # The user of the server has to reach it.
    to.mkdir(mode=0o755, parents=True, exist_ok=True)
    server = embedded.describe(home)
    _lay_out(store, chain, to, server)
    target = {"recovery_target_name": name} if name else {}
    if at is not None:
        target["recovery_target_time"] = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f+00")
    # Beside the data, where the server's user can read it.
    wal = server.data.parent / "restored_wal"
    _fetch_wal(store, backup, wal)
    programs.give_to(server, wal)
    with TemporaryDirectory() as door:
        if server.run_as is not None:
            os.chown(door, server.run_as, -1)
        port = free_port()
        try:
            address = _recover(server, wal, target, port, door)
        except BackupFailed as error:
            # Nothing was committed after that time; if the log reaches it, its end is what was asked for.
            if at is None or ENDED_EARLY not in str(error) or not store.reaches(backup.system_identifier, at):
                raise
            target = {"recovery_target_time": ""}
            address = _recover(server, wal, target, port, door)
        try:
            recovered_to = _settle(home, address, None if any(target.values()) else _last_file(wal))
            shutil.rmtree(wal)
            seconds = (live_clock().as_of - began).total_seconds()
            reached = home.model_copy(update={"database_url": f"postgresql://{HOST}:{port}/postgres"})
            yield Restored(reached, RestoreReport(backup.backup_id, to, recovered_to, seconds))
        finally:
            programs.run(
                "pg_ctl", "stop", "--pgdata", str(server.data), "--mode", "fast", "--wait", server=server
            )


def _settle(home: Settings, url: str, last: str | None) -> datetime | None:
    """Give the administrator the home's password, forget the recovery; returns the time of the last transaction.

    Raises BackupFailed when the recovery ended before the `last` file of the log.
    """
    with open_url(url, autocommit=True) as admin:
        reached = scalar(admin, "select pg_walfile_name(pg_current_wal_lsn())")
        if last is not None and is_before(reached, last):
            raise BackupFailed(
                f"the recovery ended in {reached}, before the end of the log, {last}; a file is damaged"
            )
        password = sql.Literal(home.secrets["postgres"])
        admin.execute(sql.SQL("alter role postgres password {}").format(password))
        for setting in OF_RECOVERY:
            admin.execute(sql.SQL("alter system reset {}").format(sql.Identifier(setting)))
        recovered_to: datetime | None = scalar(admin, "select pg_last_xact_replay_timestamp()")
    return recovered_to


def _chosen(store: Store, at: datetime | None, backup_id: str | None) -> Backup:
    """The backup to begin with. Raises BackupUnusable with what there is."""
    backups = store.backups()
    there = ", ".join(each.backup_id for each in backups) or "none"
    if backup_id is not None:
        backups = [each for each in backups if each.backup_id == backup_id]
        if not backups:
            raise BackupUnusable(f"no backup {backup_id} in {store.folder}; there are: {there}")
    if at is not None:
        backups = [each for each in backups if each.finished_at <= at]
    if not backups:
        before = "" if at is None else f" finished before {at:%Y-%m-%d %H:%M:%S} UTC"
        raise BackupUnusable(f"no backup{before} in {store.folder}; there are: {there}")
    return backups[-1]


def _lay_out(store: Store, chain: Sequence[Backup], to: Path, server: embedded.EmbeddedServer) -> None:
    """Unpack a full backup and those that continue it; PostgreSQL's files are verified by its own checksums."""
    parts = server.data.parent / "parts"
    server.data.parent.mkdir(parents=True, exist_ok=True)
    folders = [server.data] if len(chain) == 1 else [parts / each.backup_id for each in chain]
    for each, folder in zip(chain, folders, strict=True):
        _unpack(store, each, DATABASE, folder)
        # Later ones lie over earlier ones.
        _unpack(store, each, FILES, to)
    if (to / "secrets").exists():
        (to / "secrets").chmod(0o700)
    own_key = to / "secrets" / KEY
    if not own_key.exists():
        own_key.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(own_key, store.key)
    if len(chain) > 1:
        programs.run("pg_combinebackup", *(str(folder) for folder in folders), "--output", str(server.data))
        shutil.rmtree(parts)
    # Without the log: that lies beside, and is verified as it is read.
    programs.run("pg_verifybackup", "--no-parse-wal", "--quiet", str(server.data))
    server.data.chmod(0o700)


def _unpack(store: Store, backup: Backup, name: str, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    with (
        store.read_file(backup, name) as content,
        tarfile.open(fileobj=content, mode="r|") as packed,
    ):
        packed.extractall(to, filter="tar")


def _fetch_wal(store: Store, backup: Backup, to: Path) -> None:
    to.mkdir()
    for name, path in store.wal(backup.system_identifier).items():
        if is_before(name, backup.start_wal):
            continue
        with store.read(path) as content, (to / name).open("wb") as file:
            shutil.copyfileobj(content, file, BLOCK)


def _last_file(wal: Path) -> str | None:
    """The last file of the log in a folder, which may have none: a backup brings what it needs."""
    # The timeline, in the first eight digits, changes when a restored server goes on.
    return max(
        (path.name for path in wal.iterdir() if len(path.name) == 24), key=lambda name: name[8:], default=None
    )


def _recover(server: embedded.EmbeddedServer, wal: Path, target: dict[str, str], port: int, door: str) -> str:
    """Start the server and wait until it has read its log up to the target and opens; returns its address.

    Raises BackupFailed with what the server said. Its administrator's password may be lost; through a socket in the
    folder `door`, which is ours alone, it needs none.
    """
    recovery = {
        "restore_command": f'cp "{wal}/%f" "%p"', "recovery_target_action": "promote", "hot_standby": "off", **target
    }  # fmt: skip
    with (server.data / CONFIGURATION).open("a") as configuration:
        configuration.writelines(f"{name} = '{value}'\n" for name, value in recovery.items())
    (server.data / "recovery.signal").touch()
    rules = server.data / RULES
    rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    options = {"hba_file": rules, "unix_socket_directories": door, "archive_mode": "off"}
    told = " ".join([f"-p {port}", *(f"-c {name}={value}" for name, value in options.items())])
    programs.give_to(server, server.data)
    log = server.data / LOG
    address = f"postgresql://postgres@/postgres?host={quote(door, safe='')}&port={port}"
    try:
        programs.run(
            "pg_ctl", "start", "--pgdata", str(server.data), "--wait", "--timeout", str(RECOVERY_SECONDS),
            "--log", str(log), "--options", told, server=server,
        )  # fmt: skip
        _await_open(server, address)
    except BackupFailed as error:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        said = [line for line in lines if "FATAL" in line]
        reason = said[-1].partition("FATAL:")[2].strip() if said else str(error)
        raise BackupFailed(f"PostgreSQL could not recover: {reason}; {log} has its log") from error
    return address


def _await_open(server: embedded.EmbeddedServer, address: str) -> None:
    """Wait until a server that `pg_ctl` calls started takes connections: at the end of its log it may still give up."""
    while PGconn.ping(address.encode()) != Ping.OK:
        if not (server.data / "postmaster.pid").exists():
            raise BackupFailed("the server ended")
        time.sleep(0.05)
