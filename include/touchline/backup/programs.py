"""PostgreSQL's own programs of backup and restore, as this machine has them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from touchline.database import embedded
from touchline.database.engine import open_url, scalar
from touchline.errors import BackupFailed
from touchline.settings import Settings

# The last lines say what went wrong.
MOST_TOLD: Final = 2000
# Of the write-ahead log: what streams it to us, and until when the server keeps it.
SLOT: Final = "touchline_backup"


def system_identifier(settings: Settings) -> str:
    """What tells the server from every other. Raises DatabaseUnavailable."""
    with open_url(settings.url("backup")) as connection:
        return str(scalar(connection, "select system_identifier from pg_control_system()"))


def connection(settings: Settings) -> tuple[list[str], Mapping[str, str]]:
    """Arguments and variables with which a program connects as the role of backups; the password is no argument."""
    address = urlsplit(settings.server_url)
    arguments = ["--host", address.hostname or "", "--port", str(address.port or 5432)]
    return [*arguments, "--username", "touchline_backup", "--no-password"], {
        **embedded.PLAIN, "PGPASSWORD": settings.secrets["backup"], "PGAPPNAME": "touchline-backup",
        "PGOPTIONS": "",
    }  # fmt: skip


def run(name: str, *arguments: str, server: embedded.EmbeddedServer | None = None) -> str:
    """Run one of the programs to its end, as the user of a server if one is given; returns what it prints.

    Raises BackupFailed with the end of what it said.
    """
    folder = embedded.program_folder() if server is None else server.programs
    as_user = {} if server is None else server.as_user
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(folder / name), *arguments],
        capture_output=True, text=True, check=False, env=embedded.PLAIN, cwd="/", **as_user,
    )  # fmt: skip
    if done.returncode != 0:
        raise BackupFailed(f"{name} failed: {(done.stderr or done.stdout).strip()[-MOST_TOLD:]}")
    return done.stdout


def start(
    name: str, arguments: Sequence[str], variables: Mapping[str, str], **streams: Any
) -> subprocess.Popen[bytes]:
    """Start one of the programs beside us."""
    command = [str(embedded.program_folder() / name), *arguments]
    return subprocess.Popen(command, env={**variables}, **streams)


def give_to(server: embedded.EmbeddedServer, folder: Path) -> None:
    """Make a folder, and all that is in it, belong to the user of a server."""
    if server.run_as is None:
        return
    os.chown(folder, server.run_as, -1)
    for path in folder.rglob("*"):
        os.chown(path, server.run_as, -1, follow_symlinks=False)
