"""What the supervisor runs: a file for each program below `<home>/run`, and how to tell that it works.

`<name>.json` says what is to run: it is there from the start of the service to its end by `touchline down`.
`<name>.life` says what runs: the process that leads it, by its number and its start as the kernel gives it, so that a
number that was handed to a stranger meanwhile is never taken for ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from touchline.credentials import write_private

HOST = "127.0.0.1"
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 30
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Program:
    """What to start, what it waits for, and how to tell that it works.

    `environment` is the whole of it. `health` and `needs` are addresses (`has_answered`); without `health` a program
    works while it lives. `user` is the number of the user who runs it, ours if None. `is_alone_in_folder` says that
    whatever works in `folder` belongs to it. A change of `digest` is a reason to start it anew.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(repr=False)
    folder: str
    digest: str
    port: int = 0
    health: str | None = None
    needs: list[str] = field(default_factory=list)
    user: int | None = None
    is_alone_in_folder: bool = False
    stop_signal: str = "TERM"
    grace_seconds: int = 10
    startup_seconds: float = 90.0

    @property
    def is_healthy(self) -> bool:
        """True when it answers, or need not."""
        return self.health is None or has_answered(self.health)


@dataclass(frozen=True)
class Life:
    """The process that leads a program: `started` in clock ticks since boot, `n_starts` since it was first wanted.

    `waits_for` is the address that must answer before it starts, None once it did.
    """

    pid: int
    started: int
    n_starts: int
    waits_for: str | None

    @property
    def is_alive(self) -> bool:
        """True while this very process runs, and not another with its number."""
        return start_of(self.pid) == self.started


def digest_of(command: list[str], variables: Mapping[str, str], fingerprint: str = "") -> str:
    """Identifies what would run; equal digests need no restart."""
    parts = [command, sorted(variables.items()), fingerprint]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def program_of(
    home: Path, name: str, command: list[str], variables: Mapping[str, str], inherited: Mapping[str, str], *,
    port: int = 0, health: str | None = None, needs: Iterable[str] = (), fingerprint: str = "",
) -> Program:  # fmt: skip
    """A program that works in the home, with the variables of its caller and its own; `health` is a path at its port.

    The caller's variables, such as its terminal's, make no other program; `fingerprint`, of what it reads, does.
    """
    return Program(
        name=name,
        command=command,
        environment={**inherited, **variables},
        folder=str(home),
        digest=digest_of(command, variables, fingerprint),
        port=port,
        health=None if health is None else f"http://{HOST}:{port}{health}",
        needs=list(needs),
    )


def read_program(home: Path, name: str) -> Program | None:
    """The program that is to run under this name, or None."""
    try:
        return Program(**json.loads((home / "run" / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def wanted(home: Path) -> list[Program]:
    """Every program that is to run."""
    found = (read_program(home, path.stem) for path in sorted((home / "run").glob("*.json")))
    return [program for program in found if program is not None]


def write_program(home: Path, program: Program) -> None:
    """Note that a program is to run; readable by its owner only, as its environment may hold passwords."""
    write_private(home / "run" / f"{program.name}.json", json.dumps(asdict(program)))


def forget(home: Path, name: str) -> None:
    """Note that a program is to run no more."""
    for ending in ("json", "life"):
        (home / "run" / f"{name}.{ending}").unlink(missing_ok=True)


def read_life(home: Path, name: str) -> Life | None:
    """The process that was last started under this name, alive or not."""
    try:
        return Life(**json.loads((home / "run" / f"{name}.life").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def port_for(home: Path, name: str, preferred: int) -> int:
    """The port of the loopback address for a program: the preferred one, or the one it has, or any free one.

    A program keeps its port while it is to run.
    """
    program = read_program(home, name)
    if program is not None and program.port and (program.port == preferred or not _is_free(preferred)):
        return program.port
    return preferred if _is_free(preferred) else free_port()


def free_port() -> int:
    """A port of the loopback address that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def begin_life(home: Path, name: str, waits_for: str | None) -> None:
    """Note that this process leads a program from now on."""
    before = read_life(home, name)
    started = start_of(os.getpid()) or 0
    life = Life(os.getpid(), started, 1 if before is None else before.n_starts + 1, waits_for)
    if before is not None and (before.pid, before.started) == (life.pid, life.started):
        life = replace(life, n_starts=before.n_starts)
    write_private(home / "run" / f"{name}.life", json.dumps(asdict(life)))


def end_life(home: Path, program: Program, grace_seconds: float) -> bool:
    """End what leads a program, and all that it started: ask, wait, then kill. True when there was something to end.

    A dead leader may have left others behind; they go too.
    """
    found = False
    for number, seconds in (
        (signal.Signals[f"SIG{program.stop_signal}"], grace_seconds),
        (signal.SIGKILL, 10.0),
    ):
        if number != signal.SIGKILL and not grace_seconds:
            continue
        members = list(_members(home, program))
        found = found or bool(members)
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        deadline = time.monotonic() + seconds
        while members and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS / 2)
            members = list(_members(home, program))
    return found


def has_answered(address: str) -> bool:
    """Whether an address answers: `http://` with 200, `postgresql://` when it takes connections, `tcp://` at all."""
    parts = urlsplit(address)
    if parts.scheme == "http":
        try:
            with _direct.open(address, timeout=5) as reply:
                return bool(reply.status == 200)
        except (OSError, urllib.error.URLError):
            return False
    if parts.scheme == "postgresql":
        from psycopg import pq

        asked = f"host={parts.hostname} port={parts.port or 5432} connect_timeout=5".encode()
        return pq.PGconn.ping(asked) == pq.Ping.OK
    with suppress(OSError), socket.create_connection((parts.hostname, parts.port), timeout=5):
        return True
    return False


def tail(log: Path, n_lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 64 * 1024))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-n_lines:])
    except OSError:
        return "(no log)"


def start_of(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; None for the dead and the unreaped.

    psutil adds the boot time, which moves when the clock is set; without it the number stays what it was.
    """
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            seconds: float = process.create_time() - psutil.boot_time()
            return round(seconds * TICKS_PER_SECOND)
    return None


# Ours are on this machine: no proxy stands between.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _members(home: Path, program: Program) -> Iterator[psutil.Process]:
    """Live processes of a program but this one: of its leader's session, or in a folder that is its own.

    A program may make process groups and rename its processes, which overwrites the environment that the kernel
    shows; it stays in its session. PostgreSQL's make sessions of their own, in its data directory.
    """
    life = read_life(home, program.name)
    # Of a session whose leader is another process of that number nothing is ours.
    session = life if life is not None and start_of(life.pid) in (life.started, None) else None
    for process in psutil.process_iter():
        if process.pid == os.getpid() or (started := start_of(process.pid)) is None:
            continue
        is_ours = session is not None and _is_in_session(process, session.pid) and started >= session.started
        if is_ours or (program.is_alone_in_folder and _works_in(process, program.folder)):
            yield process


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((HOST, port))
            return port != 0
    return False


def _is_in_session(process: psutil.Process, session: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getsid(process.pid) == session
    return False


def _works_in(process: psutil.Process, folder: str) -> bool:
    with suppress(psutil.Error):
        return bool(process.cwd() == folder)
    return False
