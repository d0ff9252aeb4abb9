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
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Final

from touchline.backup import programs
from touchline.backup.store import BLOCK, PARTIAL, SHIPPED, SUFFIX, WAL, Store, open_store
from touchline.credentials import write_private
from touchline.database.engine import open_url, rows, scalar
from touchline.errors import BackupFailed, DatabaseUnavailable, TouchlineError
from touchline.settings import Settings, read_settings

# The server's word that what it had written at a position has arrived.
ARRIVED: Final = "select restart_lsn >= %s::pg_lsn from pg_replication_slots where slot_name = %s"
ARRIVAL_SECONDS: Final = 10.0
REST_NANOSECONDS: Final = 2_000_000_000

log = logging.getLogger(__name__)

SHIP_SECONDS: Final = 30.0


def received_folder(settings: Settings) -> Path:
    """Where the log arrives on this machine."""
    return settings.home / "backup" / WAL


def receive(settings: Settings, ended: Event, seconds: float = SHIP_SECONDS) -> None:
    """Receive and ship until `ended` is set. Raises BackupFailed when the stream breaks."""
    store, folder = open_store(settings), received_folder(settings)
    target = store.wal_folder(programs.system_identifier(settings))
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
            arrived_at = _arrived(settings)
            try:
                ship(store, folder, target)
                if arrived_at is not None:
                    # As a whole: others read it meanwhile.
                    write_private(target / SHIPPED, arrived_at.isoformat())
            except OSError as error:
                # The folder may be on a disk that comes back; nothing is deleted here before it is there.
                log.warning("the log was not shipped to %s: %s", store.folder, error)
    finally:
        stream.send_signal(signal.SIGINT)
        stream.wait()
    ship(store, folder, target)


def _arrived(settings: Settings) -> datetime | None:
    """The instant (UTC, of the server) up to which everything has arrived here; None while the server is away."""
    until = time.monotonic() + ARRIVAL_SECONDS
    try:
        with open_url(settings.url("backup"), autocommit=True) as connection:
            (present,) = rows(
                connection, "select clock_timestamp() as at, pg_current_wal_flush_lsn() as position"
            )
            while not scalar(connection, ARRIVED, (present["position"], programs.SLOT)):
                if time.monotonic() > until:
                    return None
                time.sleep(0.02)
    except DatabaseUnavailable:
        return None
    at: datetime = present["at"]
    return at


def ship(store: Store, folder: Path, target: Path) -> None:
    """Bring what has arrived into the store, and delete here what is finished. Raises OSError."""
    for path in sorted(folder.iterdir()):
        shipped = target / f"{path.name}{SUFFIX}"
        try:
            written_at = path.stat().st_mtime_ns
            if not (shipped.exists() and shipped.stat().st_mtime_ns == written_at):
                is_at_rest = time.time_ns() - written_at > REST_NANOSECONDS
                with path.open("rb") as content:
                    store.write(shipped, partial(shutil.copyfileobj, content, length=BLOCK))
                # While a file is being written, its time does not tell two writes apart: it is looked at again.
                os.utime(shipped, ns=(written_at, written_at if is_at_rest else 0))
        except FileNotFoundError:
            # It was finished meanwhile, and has another name.
            continue
        if not path.name.endswith(PARTIAL):
            path.unlink()
            (target / f"{path.name}{PARTIAL}{SUFFIX}").unlink(missing_ok=True)


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
