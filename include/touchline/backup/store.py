"""Where backups are kept: a folder of encrypted files, each with its digest in the manifest of its backup."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import pyarrow
import pyrage

from touchline.credentials import write_private
from touchline.errors import BackupUnusable, SettingsInvalid
from touchline.settings import Settings

MANIFEST: Final = "manifest.json"
SUFFIX: Final = ".zst.age"
DRAFT: Final = ".draft"
WAL: Final = "wal"
PARTIAL: Final = ".partial"
# As of when all that had arrived is in the folder.
SHIPPED: Final = "shipped"
KEY: Final = "backup_key"
BLOCK: Final = 2**20

Kind = Literal["full", "incremental"]
Fill = Callable[[Any], None]


@dataclass(frozen=True)
class StoredFile:
    """An encrypted file as it lies in the folder: its size in bytes and the SHA-256 of its bytes."""

    name: str
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """The manifest of one backup. Times are UTC by the wall clock.

    An incremental backup holds what changed since its `parent`. `start_wal` is the first file of the write-ahead log
    that a restore needs.
    """

    backup_id: str
    kind: Kind
    parent: str | None
    started_at: datetime
    finished_at: datetime
    system_identifier: str
    server_version: int
    start_wal: str
    files: tuple[StoredFile, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes in the folder."""
        return sum(file.n_bytes for file in self.files)


class Store:
    """The folder of the settings. Nothing that is half written has the name of something whole."""

    def __init__(self, folder: Path, identity: pyrage.x25519.Identity) -> None:
        self.folder = folder
        self._identity = identity

    def write(self, path: Path, fill: Fill) -> StoredFile:
        """Write one file, compressed and encrypted, from what `fill` writes into the stream that it is given."""

        def compress(pipe: BinaryIO) -> None:
            with pyarrow.CompressedOutputStream(pyarrow.PythonFile(pipe, mode="w"), "zstd") as stream:
                fill(stream)

        draft = path.with_name(path.name + DRAFT)
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            digested = _Digested(file)
            with _piped(compress) as plain:
                pyrage.encrypt_io(plain, digested, [self._identity.to_public()])
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        return StoredFile(path.name, digested.n_bytes, digested.sha256)

    @property
    def key(self) -> str:
        """The age identity, without which nothing here can be read."""
        return str(self._identity)

    @contextmanager
    def read(self, path: Path) -> Iterator[Any]:
        """The content of one file as a stream. Raises BackupUnusable when it cannot be decrypted."""

        def decrypt(pipe: BinaryIO) -> None:
            with path.open("rb") as file:
                pyrage.decrypt_io(file, pipe, [self._identity])

        try:
            with _piped(decrypt) as plain:
                yield pyarrow.CompressedInputStream(pyarrow.PythonFile(plain, mode="r"), "zstd")
        except pyrage.DecryptError as error:
            raise BackupUnusable(
                f"{path} cannot be decrypted ({error}): is TOUCHLINE_BACKUP_KEY that of the installation that wrote it?"
            ) from error

    @contextmanager
    def read_file(self, backup: Backup, name: str) -> Iterator[Any]:
        """The content of a file of a backup by its name. Raises BackupUnusable when it is not what was written."""
        (stored,) = (file for file in backup.files if file.name == name)
        path = self.folder / backup.backup_id / name
        if (found := _digest_of(path)) != stored.sha256:
            raise BackupUnusable(
                f"{path} is damaged: its SHA-256 is {found}, {stored.sha256} was written; restore from another backup"
            )
        with self.read(path) as content:
            yield content

    def backups(self) -> list[Backup]:
        """Every whole backup, the oldest first. Raises BackupUnusable when a manifest cannot be read."""
        return [_read_manifest(path) for path in sorted(self.folder.glob(f"*/{MANIFEST}"))]

    def chain(self, backup: Backup) -> list[Backup]:
        """What a restore of this backup needs, the full one first. Raises BackupUnusable when a part is missing."""
        known = {each.backup_id: each for each in self.backups()}
        chain = [backup]
        while (parent := chain[0].parent) is not None:
            if parent not in known:
                raise BackupUnusable(f"{backup.backup_id} needs {parent}, which is not in {self.folder}")
            chain.insert(0, known[parent])
        return chain

    def commit(self, backup: Backup) -> None:
        """Make a backup whole: its manifest is the last thing written."""
        path = self.folder / backup.backup_id / MANIFEST
        draft = path.with_name(path.name + DRAFT)
        draft.write_text(json.dumps(asdict(backup), default=str, indent=2) + "\n")
        draft.rename(path)

    def wal_folder(self, system_identifier: str) -> Path:
        """Where the write-ahead log of a server lies; another server's has files of the same names."""
        return self.folder / WAL / system_identifier

    def wal(self, system_identifier: str) -> dict[str, Path]:
        """Files of a server's log by name; an unfinished one, `.partial`, under the name it will have."""
        # Whole files come last, so that they win.
        found = sorted(
            self.wal_folder(system_identifier).glob(f"*{SUFFIX}"), key=lambda path: PARTIAL not in path.name
        )
        return {path.name.removesuffix(SUFFIX).removesuffix(PARTIAL): path for path in found}

    def reaches(self, system_identifier: str, at: datetime) -> bool:
        """True when all that a server had logged at an instant (UTC) is here."""
        path = self.wal_folder(system_identifier) / SHIPPED
        return path.exists() and datetime.fromisoformat(path.read_text()) >= at

    def forget(self, system_identifier: str, before: datetime) -> list[str]:
        """Delete what no restore of a server to `before` (UTC) or later needs; returns the backups that went."""
        backups = [each for each in self.backups() if each.system_identifier == system_identifier]
        kept: set[str] = set()
        older = [each for each in backups if each.finished_at <= before]
        for backup in [*older[-1:], *(each for each in backups if each.finished_at > before)]:
            kept |= {each.backup_id for each in self.chain(backup)}
        gone = [each.backup_id for each in backups if each.backup_id not in kept]
        for backup_id in gone:
            # Without its manifest it is no backup any more, wherever the deletion is cut off.
            (self.folder / backup_id / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(self.folder / backup_id)
        if first := min((each.start_wal for each in backups if each.backup_id in kept), default=None):
            for name, path in self.wal(system_identifier).items():
                if is_before(name, first):
                    path.unlink(missing_ok=True)
        return gone


def is_before(name: str, first: str) -> bool:
    """True when a file of the log comes before another; of a file that says how timelines went on it is not.

    The first eight digits are the timeline, which only a restore changes.
    """
    return len(name) == len(first) and name[8:] < first[8:]


def open_store(settings: Settings) -> Store:
    """The store of these settings. Raises SettingsInvalid when backups are off, or the key is none."""
    folder = settings.backup.folder
    if folder is None:
        raise SettingsInvalid("backups are off: set TOUCHLINE_BACKUP_FOLDER to a folder on another disk")
    return Store(folder, _identity(settings))


def _identity(settings: Settings) -> pyrage.x25519.Identity:
    given = settings.backup.secret_key
    path = settings.home / "secrets" / KEY
    if given is None:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, str(pyrage.x25519.Identity.generate()))
        given = path.read_text().strip()
    try:
        return pyrage.x25519.Identity.from_str(given)
    except pyrage.IdentityError as error:
        raise SettingsInvalid("TOUCHLINE_BACKUP_KEY: write an age identity, AGE-SECRET-KEY-1...") from error


def _read_manifest(path: Path) -> Backup:
    try:
        read = json.loads(path.read_text())
        times = {name: datetime.fromisoformat(read[name]) for name in ("started_at", "finished_at")}
        return Backup(**{**read, **times, "files": tuple(StoredFile(**each) for each in read["files"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupUnusable(f"{path} cannot be read ({error}): move its folder away") from error


def _digest_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupUnusable(f"{path} cannot be read: {error.strerror}") from error


class _Digested:
    """Passes on what is written, and keeps its size and digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.n_bytes = 0

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        self.n_bytes += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


@contextmanager
def _piped(produce: Callable[[BinaryIO], None]) -> Iterator[BinaryIO]:
    """What `produce` writes, to be read while it writes; raises what it raises."""
    readable, writable = os.pipe()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with suppress(BrokenPipeError), os.fdopen(writable, "wb", BLOCK) as pipe:
                produce(pipe)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        with os.fdopen(readable, "rb", BLOCK) as pipe:
            yield pipe
    except BaseException as error:
        thread.join()
        # A stream that ends too early is the consequence.
        raise (failed[0] if failed else error) from None
    thread.join()
    if failed:
        raise failed[0]
