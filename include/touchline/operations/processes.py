"""Processes that outlive the command that starts them: start, find again, stop.

Each runs in a session of its own. Its state is `<home>/run/<name>.json`, its output `<home>/logs/<name>.log`.
A recorded process id counts only together with the start time the kernel gives for it, so a number that was
handed to a stranger meanwhile is never taken for ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from touchline.errors import ServiceFailed
from touchline.settings import inherited_environment

HOST = "127.0.0.1"
POLL_SECONDS = 0.1
LOG_TAIL_LINES = 30
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Program:
    """What to start and how to tell that it works.

    `command` and `variables` (added to the environment) get the port it was given, 0 when it listens nowhere;
    `is_healthy` gets it too and must not raise. A change of `fingerprint`, or of the rest, is a reason to start
    it anew.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    variables: Callable[[int], Mapping[str, str]]
    is_healthy: Callable[[int], bool]
    preferred_port: int | None = None
    fingerprint: str = ""
    startup_seconds: float = 90.0
    grace_seconds: float = 10.0

    @property
    def digest(self) -> str:
        """Identifies what would run; equal digests need no restart."""
        port = self.preferred_port or 0
        parts = [list(self.command(port)), sorted(self.variables(port).items()), self.fingerprint]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class Running:
    """A process as recorded: `started` is its start in clock ticks since boot, port 0 means none."""

    name: str
    pid: int
    port: int
    started: int
    digest: str

    @property
    def is_alive(self) -> bool:
        """True while this very process runs, and not another with its number."""
        return _start_of(self.pid) == self.started


def find(home: Path, name: str) -> Running | None:
    """The process as last recorded, alive or not; None when there is no record."""
    try:
        stored = json.loads((home / "run" / f"{name}.json").read_text())
        return Running(
            name, int(stored["pid"]), int(stored["port"]), int(stored["started"]), stored["digest"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def launch(home: Path, program: Program) -> Running:
    """Make sure `program` runs, without waiting for its health; the one that runs is kept if it fits and answers.

    Of several callers at once, one starts it. Raises ServiceFailed when it cannot be started.
    """
    (home / "run").mkdir(parents=True, exist_ok=True)
    (home / "logs").mkdir(exist_ok=True)
    with FileLock(home / "run" / f"{program.name}.lock"):
        running = find(home, program.name)
        if running is not None:
            if running.is_alive and running.digest == program.digest and program.is_healthy(running.port):
                return running
            _end(home, running, program.grace_seconds)
        return _spawn(home, program)


def await_health(home: Path, program: Program, running: Running) -> None:
    """Wait until the process answers.

    Raises ServiceFailed with the end of its log when it dies or takes longer than `startup_seconds`.
    """
    deadline = time.monotonic() + program.startup_seconds
    while not program.is_healthy(running.port):
        log = home / "logs" / f"{program.name}.log"
        if not running.is_alive:
            raise ServiceFailed(f"{program.name} ended while starting; the end of {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServiceFailed(
                f"{program.name} did not answer within {program.startup_seconds:.0f} s; "
                f"the end of {log}:\n{tail(log)}"
            )
        time.sleep(POLL_SECONDS)


def stop(home: Path, name: str, grace_seconds: float = 10.0) -> bool:
    """End the process and everything it started; True when there was something to end."""
    if not (home / "run" / f"{name}.json").exists():
        return False
    with FileLock(home / "run" / f"{name}.lock"):
        running = find(home, name)
        return running is not None and _end(home, running, grace_seconds)


def tail(log: Path, n_lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, or a note that there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 64 * 1024))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-n_lines:])
    except OSError:
        return "(no log)"


def free_port(preferred: int) -> int:
    """The preferred port of the loopback address if nobody has it, otherwise any free one."""
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceFailed(f"no free TCP port on {HOST}")


def _spawn(home: Path, program: Program) -> Running:
    port = 0 if program.preferred_port is None else free_port(program.preferred_port)
    log = home / "logs" / f"{program.name}.log"
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                program.command(port),
                env={**inherited_environment(), **program.variables(port)},
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceFailed(f"{program.name} cannot be started: {error}") from error
    running = Running(program.name, process.pid, port, _start_of(process.pid) or 0, program.digest)
    draft = home / "run" / f"{program.name}.draft"
    draft.write_text(
        json.dumps({"pid": running.pid, "port": port, "started": running.started, "digest": running.digest})
    )
    draft.replace(home / "run" / f"{program.name}.json")
    # The process is meant to outlive us; without this Python would warn that it is still running.
    process.returncode = 0
    return running


def _end(home: Path, running: Running, grace_seconds: float) -> bool:
    """Ask, wait, then kill. A dead leader may have left children behind (kill -9): they go too."""
    found = False
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        members = list(_session_members(home, running))
        if not members:
            break
        found = True
        for process in members:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(True for _ in _session_members(home, running)):
            time.sleep(POLL_SECONDS)
    (home / "run" / f"{running.name}.json").unlink(missing_ok=True)
    return found


def _session_members(home: Path, running: Running) -> Iterator[psutil.Process]:
    """Live processes of the session, whatever process group they made for themselves."""
    leader_start = _start_of(running.pid)
    if leader_start is not None and leader_start != running.started:
        return
    for process in psutil.process_iter():
        if not _is_in_session(process, running.pid):
            continue
        started = _start_of(process.pid)
        if started is None or started < running.started:
            continue
        if leader_start is None and not _belongs_to(process, home):
            continue
        yield process


def _is_in_session(process: psutil.Process, session: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getsid(process.pid) == session
    return False


def _belongs_to(process: psutil.Process, home: Path) -> bool:
    """By where it works, as we started it there: a process that was renamed has overwritten its environment."""
    with suppress(psutil.Error):
        return Path(process.cwd()) == home.resolve()
    return False


def _start_of(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; None for the dead and the unreaped.

    psutil adds the boot time, which moves when the clock is set; without it the number stays what it was.
    """
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            seconds: float = process.create_time() - psutil.boot_time()
            return round(seconds * TICKS_PER_SECOND)
    return None
