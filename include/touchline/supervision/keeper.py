"""`python -m touchline.supervision.keeper CONFIGURATION`: becomes the supervisor when the one that runs it dies.

The supervisor runs it like a service, so that each brings the other back.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

import psutil

POLL_SECONDS = 0.5


def main() -> None:
    """Wait for the end of the parent, and take its place."""
    configuration = sys.argv[1]
    parent = os.getppid()
    with suppress(psutil.NoSuchProcess):
        if configuration in psutil.Process(parent).cmdline():
            # The kernel gives the children of the dead another parent, even before they are buried.
            while os.getppid() == parent:
                time.sleep(POLL_SECONDS)
    # Of the pipes to the dead nothing is read any more.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    os.execv(sys.executable, supervisor_command(configuration))


def supervisor_command(configuration: str) -> list[str]:
    """The command that runs the supervisor in the foreground."""
    return [
        sys.executable,
        "-m",
        "supervisor.supervisord",
        "--nodaemon",
        "--silent",
        "--configuration",
        configuration,
    ]


if __name__ == "__main__":
    main()
