"""The supervisor of an installation: start it, tell it what is to run, ask it how that goes.

It is supervisord: what ends is started again, at once if it had worked for a while, else after 1, 2, 3 ... seconds,
and given up after `MOST_RETRIES` such starts in a row. It keeps `<home>/logs/<name>.log` below a size.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from touchline.errors import ServiceFailed, SettingsInvalid
from touchline.supervision import keeper, launch
from touchline.supervision.programs import (
    POLL_SECONDS,
    Life,
    Program,
    end_life,
    forget,
    read_life,
    read_program,
    tail,
    wanted,
    write_program,
)

KEEPER = "keeper"
# Longer than it takes a process to become another program.
EXEC_SECONDS = 0.2
MOST_RETRIES = 12
# A program that ends sooner has not worked.
WORKS_AFTER_SECONDS = 10
LOG_BYTES = 5 * 2**20
LOG_COPIES = 2
# What means something in its configuration.
SPECIAL = {"%", ";"}
# The most that the name of a Unix socket may have.
MOST_SOCKET_BYTES = 107
REPLY_SECONDS = 20.0


@dataclass(frozen=True)
class ProgramState:
    """A program as found.

    `state` is running, starting, waiting (for the address `waits_for`), not answering, restarting (as is everything
    while the supervisor is), given up, or died when there is no supervisor to bring it back. `seconds` is how long it
    has run, `n_restarts` how often it was started again, `last_end` why it last ended, empty when it never did.
    """

    program: Program
    state: str
    pid: int | None
    seconds: float | None
    n_restarts: int
    last_end: str
    waits_for: str | None


def run_programs(home: Path, programs: Sequence[Program], *, only: bool = False) -> list[str]:
    """Have these programs run, without waiting for their health; with `only`, no others. Names of those started.

    One that runs as it should is left alone; one that was given up is tried again. Of several callers at once, each
    finds what the one before did. Raises ServiceFailed when the supervisor does not start.
    """
    for folder in ("run", "logs"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    with FileLock(home / "run" / "supervisor.lock"):
        before = {program.name: program for program in wanted(home)}
        names = {program.name for program in programs}
        changed = {program.name for program in programs if not _is_same(before.get(program.name), program)}
        for program in programs:
            write_program(home, program)
        gone = [program for name, program in before.items() if only and name not in names]
        _configure(home, [program for program in wanted(home) if program not in gone])
        was_running = _ensure_supervisor(home)
        if was_running:
            _update(home)
        for program in gone:
            end_life(home, program, program.grace_seconds)
            forget(home, program.name)
        restarted = _start_again(home, names) if was_running else []
        return [name for name in sorted(names) if not was_running or name in restarted or name in changed]


def ensure_program(home: Path, program: Program) -> None:
    """Have this very program run, and wait until it works. Raises what `run_programs` and `await_health` raise."""
    if not (_is_same(read_program(home, program.name), program) and program.is_healthy):
        run_programs(home, [program])
        await_health(home, program)


def stop_programs(home: Path, names: Sequence[str] | None = None) -> list[str]:
    """Stop these programs, or all and the supervisor, those last that others need; names of those that ran."""
    if not (home / "run").exists():
        return []
    with FileLock(home / "run" / "supervisor.lock"):
        programs = wanted(home)
        stopping = [program for program in programs if names is None or program.name in names]
        ran = {
            state.program.name
            for state in states(home)
            if state.pid is not None and state.program in stopping
        }
        if len(stopping) < len(programs):
            _configure(home, [program for program in programs if program not in stopping])
            if _answers(home):
                _update(home)
        else:
            _end_restarts(home)
        needed = {address for program in stopping for address in program.needs}
        for group in (
            [program for program in stopping if program.health not in needed],
            [program for program in stopping if program.health in needed],
        ):
            if group:
                with ThreadPoolExecutor(len(group)) as pool:
                    ended = pool.map(lambda program: end_life(home, program, program.grace_seconds), group)
                ran |= {program.name for program, found in zip(group, ended, strict=True) if found}
        if len(stopping) == len(programs):
            _kill_supervisor(home)
        for program in stopping:
            forget(home, program.name)
    return [program.name for program in programs if program.name in ran]


def await_health(home: Path, program: Program) -> None:
    """Wait until a program answers.

    Raises ServiceFailed with the end of its log when it is given up, has ended twice, or takes too long.
    """
    life = read_life(home, program.name)
    n_starts = 0 if life is None else life.n_starts
    deadline = time.monotonic() + program.startup_seconds
    log = log_of(home, program.name)
    while not (program.is_healthy and _has_begun(read_life(home, program.name))):
        (state,) = (state for state in states(home) if state.program.name == program.name)
        life = read_life(home, program.name)
        has_ended = life is not None and life.n_starts > max(n_starts, 1) + 1
        if state.state == "given up" or has_ended:
            raise ServiceFailed(f"{program.name} ended while starting; the end of {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServiceFailed(
                f"{program.name} did not answer within {program.startup_seconds:.0f} s; "
                f"the end of {log}:\n{tail(log)}"
            )
        time.sleep(POLL_SECONDS)


def states(home: Path) -> list[ProgramState]:
    """Every program that is to run, as found."""
    programs = wanted(home)
    if not programs:
        return []
    try:
        found = {each["name"]: each for each in _ask(home).getAllProcessInfo()}
        unknown = "died"
    except (OSError, xmlrpc.client.Error):
        found = {}
        unknown = "restarting" if _is_supervised(home) else "died"
    ends = _last_ends(home)
    return [
        _state(home, program, found.get(program.name), ends.get(program.name, ""), unknown)
        for program in programs
    ]


def log_of(home: Path, name: str) -> Path:
    """The log file of a program."""
    return home / "logs" / f"{name}.log"


def _state(home: Path, program: Program, told: Any, last_end: str, unknown: str) -> ProgramState:
    """The state of a program, by what the supervisor told of it: `unknown` if it told nothing."""
    life = read_life(home, program.name)
    is_alive = life is not None and life.is_alive
    waits_for = life.waits_for if life is not None and is_alive else None
    if told is None:
        state = unknown
    elif told["statename"] == "FATAL":
        state = "given up"
    elif not is_alive:
        state = "restarting"
    elif waits_for:
        state = "waiting"
    elif program.is_healthy:
        state = "running"
    else:
        state = "starting" if told["now"] - told["start"] < program.startup_seconds else "not answering"
    return ProgramState(
        program=program,
        state=state,
        pid=life.pid if life is not None and is_alive else None,
        seconds=told["now"] - told["start"] if told is not None and is_alive else None,
        n_restarts=0 if life is None else life.n_starts - 1,
        last_end=last_end,
        waits_for=waits_for,
    )


def _has_begun(life: Life | None) -> bool:
    return life is not None and life.is_alive and life.waits_for is None


def _is_same(known: Program | None, program: Program) -> bool:
    return known is not None and known.digest == program.digest


def _configuration(home: Path) -> Path:
    return home / "run" / "supervisord.conf"


def _socket(home: Path) -> Path:
    path = home / "run" / "supervisor.sock"
    if len(os.fsencode(path)) > MOST_SOCKET_BYTES:
        raise SettingsInvalid(
            f"TOUCHLINE_HOME is too long: a socket's name, {path}, has at most {MOST_SOCKET_BYTES} bytes; "
            "choose a shorter folder"
        )
    return path


def _configure(home: Path, programs: Sequence[Program]) -> None:
    for path in (str(home), sys.executable):
        if set(path) & SPECIAL:
            raise SettingsInvalid(
                f"{path}: the supervisor takes no folder with {' or '.join(sorted(SPECIAL))} in its name; "
                "choose another"
            )
    _configuration(home).write_text("\n\n".join(_sections(home, programs)) + "\n")


def _sections(home: Path, programs: Sequence[Program]) -> Iterator[str]:
    yield f"[unix_http_server]\nfile = {_socket(home)}\nchmod = 0700"
    yield "\n".join(
        [
            "[supervisord]",
            f"logfile = {home}/logs/supervisor.log",
            f"logfile_maxbytes = {LOG_BYTES}",
            f"logfile_backups = {LOG_COPIES}",
            f"pidfile = {home}/run/supervisor.pid",
            f"childlogdir = {home}/logs",
            *(["user = root"] if os.geteuid() == 0 else []),
        ]
    )
    yield "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface"
    for program in programs:
        yield "\n".join(
            [
                f"[program:{program.name}]",
                f"command = {_command(launch.__name__, home, program.name)}",
                # A program that changed is another section, which an update starts anew.
                f'environment = TOUCHLINE_PROGRAM="{program.digest}",PYTHONPATH="{_package_folder()}"',
                # What others need starts first, and ends last.
                f"priority = {2 if program.needs else 1}",
                "autorestart = true",
                f"startsecs = {WORKS_AFTER_SECONDS}",
                f"startretries = {MOST_RETRIES}",
                f"stopsignal = {program.stop_signal}",
                f"stopwaitsecs = {program.grace_seconds}",
                "killasgroup = true",
                "redirect_stderr = true",
                f"stdout_logfile = {log_of(home, program.name)}",
                f"stdout_logfile_maxbytes = {LOG_BYTES}",
                f"stdout_logfile_backups = {LOG_COPIES}",
            ]
        )
    yield "\n".join(
        [
            f"[program:{KEEPER}]",
            f"command = {_command(keeper.__name__, _configuration(home))}",
            f'environment = PYTHONPATH="{_package_folder()}"',
            # Ended first: it would take the end of the supervisor for an accident.
            "priority = 999",
            "autorestart = true",
            "startsecs = 0",
            "stdout_logfile = NONE",
            "stderr_logfile = NONE",
        ]
    )


def _command(module: str, *arguments: Path | str) -> str:
    return shlex.join([sys.executable, "-m", module, *map(str, arguments)])


def _package_folder() -> Path:
    return Path(__file__).resolve().parents[2]


class _Connection(http.client.HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("supervisor", timeout=REPLY_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path)


def _ask(home: Path) -> Any:
    return xmlrpc.client.ServerProxy("http://supervisor/RPC2", transport=_Transport(_socket(home))).supervisor


def _ensure_supervisor(home: Path) -> bool:
    """Start the supervisor, and with it every program, unless it answers already; True when it did."""
    if _answers(home):
        return True
    _kill_supervisor(home)
    subprocess.Popen(
        keeper.supervisor_command(str(_configuration(home))),
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ).returncode = 0  # It outlives us; without this Python would warn that it still runs.
    deadline = time.monotonic() + REPLY_SECONDS
    while not _answers(home):
        if time.monotonic() > deadline:
            log = log_of(home, "supervisor")
            raise ServiceFailed(f"the supervisor does not answer; the end of {log}:\n{tail(log)}")
        time.sleep(POLL_SECONDS / 2)
    return False


def _answers(home: Path) -> bool:
    with suppress(OSError, xmlrpc.client.Error):
        return bool(_ask(home).getState()["statename"] == "RUNNING")
    return False


def _update(home: Path) -> None:
    """Let the supervisor read its configuration again, as `supervisorctl update` does."""
    supervisor = _ask(home)
    ((added, changed, removed),) = supervisor.reloadConfig()
    for name in [*removed, *changed]:
        supervisor.stopProcessGroup(name)
        supervisor.removeProcessGroup(name)
    for name in [*changed, *added]:
        supervisor.addProcessGroup(name)


def _start_again(home: Path, names: set[str]) -> list[str]:
    """Start those of these programs that the supervisor has stopped or given up."""
    supervisor = _ask(home)
    stopped = [
        each["name"]
        for each in supervisor.getAllProcessInfo()
        if each["name"] in names and each["statename"] in ("STOPPED", "EXITED", "FATAL", "BACKOFF")
    ]
    for name in stopped:
        # It may have been started in between.
        with suppress(xmlrpc.client.Fault):
            supervisor.startProcess(name, False)
    return stopped


def _end_restarts(home: Path) -> None:
    """Tell the supervisor to end. It stops one program after the other, but starts none that we end meanwhile."""
    try:
        _ask(home).shutdown()
    except (OSError, xmlrpc.client.Error):
        _kill_supervisor(home)


def _kill_supervisor(home: Path) -> None:
    """Supervisor and keeper, until neither is left to bring the other back."""
    while found := _supervising(home):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=5)


def _is_supervised(home: Path) -> bool:
    """Whether supervisor or keeper lives. The keeper has no command line for the moment in which it becomes the
    supervisor, so who finds neither looks again.
    """
    if _supervising(home):
        return True
    time.sleep(EXEC_SECONDS)
    return bool(_supervising(home))


def _supervising(home: Path) -> list[psutil.Process]:
    """Processes that run with the configuration of this installation."""
    configuration = str(_configuration(home))
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if configuration in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _last_ends(home: Path) -> dict[str, str]:
    """Why each program last ended, by the supervisor's log."""
    log = tail(log_of(home, "supervisor"), 10_000)
    return dict(re.findall(r"exited: (\S+) \((.*?)(?:; (?:not )?expected)?\)", log))
