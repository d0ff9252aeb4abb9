"""`python -m touchline.supervision.launch HOME NAME`: what the supervisor starts; it becomes the program."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from touchline.supervision.programs import (
    POLL_SECONDS,
    Program,
    begin_life,
    end_life,
    has_answered,
    read_program,
)


def main() -> None:
    """End what an earlier life of the program left behind, wait for what it needs, and become it."""
    home, name = Path(sys.argv[1]), sys.argv[2]
    program = read_program(home, name)
    if program is None:
        sys.exit(f"{home}/run/{name}.json does not say what to run")
    end_life(home, program, grace_seconds=0)
    _lead_a_session()
    for address in program.needs:
        _wait_for(home, program, address)
    begin_life(home, name, waits_for=None)
    os.chdir(program.folder)
    if program.user is not None:
        os.setgroups([])
        os.setuid(program.user)
    os.execvpe(program.command[0], program.command, program.environment)


def _lead_a_session() -> None:
    """Whatever the program starts is found by its session; the leader of a process group cannot make one."""
    os.setpgid(0, os.getpgid(os.getppid()))
    os.setsid()


def _wait_for(home: Path, program: Program, address: str) -> None:
    begin_life(home, program.name, waits_for=address)
    while not has_answered(address):
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
