"""The service that ships the write-ahead log: what has happened is in the folder of backups half a minute later.

`pg_receivewal` streams the log into the home as it is written; what has come is encrypted into the folder every
`SHIP_SECONDS`, the unfinished file too. The server keeps what has not come yet. Run as `python -m
touchline.backup.receive`.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any, BinaryIO, Final

from touchline.backup import programs
from touchline.backup.store import BLOCK, PARTIAL, SHIPPED, SUFFIX, WAL, Store, open_store
from touchline.clock import live_clock
from touchline.database.engine import open_url, scalar
from touchline.errors import BackupFailed, TouchlineError
from touchline.settings import Settings, read_settings

log = logging.getLogger(__name__)

SHIP_SECONDS: Final = 30.0


def received_folder(settings: Settings) -> Path:
    """Where the log arrives on this machine."""
    return settings.home / "backup" / WAL


def system_identifier(settings: Settings) -> str:
    """What tells the server from every other. Raises DatabaseUnavailable."""
    with open_url(settings.url("backup")) as connection:
        return str(scalar(connection, "select system_identifier from pg_control_system()"))


def receive(settings: Settings, ended: Event, seconds: float = SHIP_SECONDS) -> None:
    """Receive and ship until `ended` is set. Raises BackupFailed when the stream breaks."""
    store, folder = open_store(settings), received_folder(settings)
    target = store.wal_folder(system_identifier(settings))
    folder.mkdir(parents=True, exist_ok=True)
    arguments, variables = programs.connection(settings)
    slot = [*arguments, "--slot", programs.SLOT]
    created = programs.start("pg_receivewal", [*slot, "--create-slot", "--if-not-exists"], variables)
    if created.wait() != 0:
        raise BackupFailed("pg_receivewal could not make its slot; its message is in the log of the service")
    stream = programs.start(
        "pg_receivewal", [*slot, "--directory", str(folder), "--synchronous", "--no-loop"], variables
    )
    try:
        while not ended.wait(seconds):
            if stream.poll() is not None:
                raise BackupFailed(f"pg_receivewal ended with {stream.returncode}")
            try:
                ship(store, folder, target)
            except OSError as error:
                # The folder may be on a disk that comes back; nothing is deleted here before it is there.
                log.warning("the log was not shipped to %s: %s", store.folder, error)
    finally:
        stream.send_signal(signal.SIGINT)
        stream.wait()
    ship(store, folder, target)


def ship(store: Store, folder: Path, target: Path) -> None:
    """Bring what has arrived into the store, and delete here what is finished. Raises OSError."""
    began = live_clock().as_of
    for path in sorted(folder.iterdir()):
        shipped = target / f"{path.name}{SUFFIX}"
        try:
            written_at = path.stat().st_mtime_ns
            if not (shipped.exists() and shipped.stat().st_mtime_ns == written_at):
                with path.open("rb") as content:
                    store.write(shipped, partial(_copy, content))
                # What is written while we read is seen by the next look.
                os.utime(shipped, ns=(written_at, written_at))
        except FileNotFoundError:
            # It was finished meanwhile, and has another name.
            continue
        if not path.name.endswith(PARTIAL):
            path.unlink()
            (target / f"{path.name}{PARTIAL}{SUFFIX}").unlink(missing_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    (target / SHIPPED).write_text(began.isoformat())


def _copy(content: BinaryIO, out: Any) -> None:
    shutil.copyfileobj(content, out, BLOCK)


def main() -> None:
    """The service: until it is asked to end, or the stream breaks, after which the supervisor starts it anew."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    ended = Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        receive(read_settings(), ended)
    except TouchlineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
