"""Take a backup: PostgreSQL whole or what changed, the files of models, and the passwords that they need."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from touchline.backup import programs
from touchline.backup.store import KEY, SUFFIX, Backup, Kind, Store, open_store
from touchline.clock import live_clock
from touchline.database.engine import open_url, scalar
from touchline.errors import BackupFailed, BackupUnusable
from touchline.settings import Settings

DATABASE: Final = f"database.tar{SUFFIX}"
SERVER_MANIFEST: Final = f"backup_manifest{SUFFIX}"
FILES: Final = f"files.tar{SUFFIX}"
# What of the home is no database and cannot be made again.
FOLDERS: Final = ("mlflow", "feast", "secrets")
# Files that were written while the backup before was taken belong to both.
OVERLAP: Final = timedelta(minutes=5)
LABEL: Final = "backup_label"
MANIFEST: Final = "backup_manifest"


@dataclass(frozen=True)
class BackupReport:
    """What was taken, why it is whole if it could have been incremental, and which backups were too old."""

    backup: Backup
    reason: str
    forgotten: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence."""
        took = self.backup.finished_at - self.backup.started_at
        reason = f" ({self.reason})" if self.reason else ""
        return (
            f"{self.backup.kind} backup {self.backup.backup_id}{reason}: {self.backup.n_bytes / 2**20:,.1f} MiB in "
            f"{took.total_seconds():.0f} s; {len(self.forgotten)} forgotten."
        )


def back_up(settings: Settings, *, is_full: bool = False) -> BackupReport:
    """Take a backup into the folder of the settings, and delete what is older than they keep.

    Incremental where the server can send what changed since the last backup, and a full one is not older than
    `settings.backup.full_days`. Raises SettingsInvalid when backups are off, DatabaseUnavailable, BackupFailed.
    """
    store = open_store(settings)
    started_at = live_clock().as_of
    with open_url(settings.url("backup")) as connection:
        version = connection.info.server_version
        # Older servers, before PostgreSQL 17, do not know the setting.
        can_tell_changes = scalar(connection, "select current_setting('summarize_wal', true)") == "on"
    system = programs.system_identifier(settings)
    parent, reason = (None, "asked for") if is_full else _parent(settings, store, system, started_at)
    if parent is not None and not can_tell_changes:
        parent, reason = None, "the server does not note what changes (summarize_wal)"
    try:
        backup = _take(settings, store, parent, started_at, system, version)
    except (BackupFailed, BackupUnusable) as error:
        if parent is None:
            raise
        # The server has forgotten what changed since, or the backup before is damaged.
        reason = f"not incremental: {error}"
        backup = _take(settings, store, None, started_at, system, version)
    keep_since = started_at - timedelta(days=settings.backup.keep_days)
    return BackupReport(backup, reason, tuple(store.forget(system, keep_since)))


def _parent(settings: Settings, store: Store, system: str, at: datetime) -> tuple[Backup | None, str]:
    """The backup that the next one continues, or None and why it is a full one."""
    own = [each for each in store.backups() if each.system_identifier == system]
    if not own:
        return None, "the first"
    whole_at = max(each.started_at for each in own if each.kind == "full")
    if at - whole_at >= timedelta(days=settings.backup.full_days):
        return None, f"the last full one is of {whole_at:%Y-%m-%d}"
    return own[-1], ""


def _take(
    settings: Settings, store: Store, parent: Backup | None, started_at: datetime, system: str, version: int
) -> Backup:
    kind: Kind = "full" if parent is None else "incremental"
    backup_id = f"{started_at:%Y%m%dT%H%M%S.%fZ}-{kind}"
    folder = store.folder / backup_id
    try:
        # The server's files that tell about the backup, by name.
        received: dict[str, bytes] = {}
        with tempfile.TemporaryDirectory() as scratch:
            arguments = ["--pgdata", "-", "--format", "tar", "--wal-method", "fetch", "--checkpoint", "fast"]
            arguments += ["--manifest-checksums", "SHA256", "--label", backup_id]
            if parent is not None:
                manifest = Path(scratch) / MANIFEST
                with store.read_file(parent, SERVER_MANIFEST) as content:
                    manifest.write_bytes(content.read())
                arguments += ["--incremental", str(manifest)]
            database = store.write(
                folder / DATABASE, lambda out: _receive(settings, arguments, received, out)
            )
        server_manifest = store.write(folder / SERVER_MANIFEST, lambda out: out.write(received[MANIFEST]))
        # After the database, which may name files that came later than it.
        since = None if parent is None else parent.started_at - OVERLAP
        files = store.write(folder / FILES, lambda out: _pack(settings.home, since, out))
        backup = Backup(
            backup_id, kind, None if parent is None else parent.backup_id, started_at,
            live_clock().as_of, system, version, _start_wal(received[LABEL]), (database, server_manifest, files),
        )  # fmt: skip
        store.commit(backup)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return backup


def _start_wal(label: bytes) -> str:
    """The file of the write-ahead log where a backup begins, as its label says."""
    first, *_ = label.decode().splitlines()
    return first.partition("(file ")[2].rstrip(")")


def _receive(settings: Settings, arguments: list[str], received: dict[str, bytes], out: Any) -> None:
    """Pass the server's files on as a tar stream, and keep label and manifest in `received`.

    Raises BackupFailed with what pg_basebackup said.
    """
    address, variables = programs.connection(settings)
    with tempfile.TemporaryFile() as told:
        process = programs.start(
            "pg_basebackup", [*address, *arguments], variables, stdout=subprocess.PIPE, stderr=told
        )
        assert process.stdout is not None, "asked for above"
        try:
            with (
                tarfile.open(fileobj=process.stdout, mode="r|") as files,
                tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as passed_on,
            ):
                for member in files:
                    content = files.extractfile(member) if member.isreg() else None
                    if content is not None and member.name in (LABEL, MANIFEST):
                        received[member.name] = content.read()
                        content = io.BytesIO(received[member.name])
                    passed_on.addfile(member, content)
        except tarfile.TarError:
            # The stream ended early; the program says why.
            pass
        finally:
            process.stdout.close()
            status = process.wait()
        told.seek(0)
        said = told.read().decode(errors="replace").strip()
    if status != 0 or not received.get(MANIFEST) or not received.get(LABEL):
        raise BackupFailed(f"pg_basebackup failed: {said[-programs.MOST_TOLD :] or 'it sent no manifest'}")


def _pack(home: Path, since: datetime | None, out: Any) -> None:
    """Write the files of the home that are no database as a tar stream; those changed since an instant, if given."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as packed:
        for name in FOLDERS:
            for path in sorted((home / name).rglob("*")):
                if path.name == KEY or not path.is_file():
                    continue
                # A file may go while it is looked at.
                try:
                    if since is None or path.stat().st_mtime >= since.timestamp():
                        packed.add(path, str(path.relative_to(home)), recursive=False)
                except FileNotFoundError:
                    continue
