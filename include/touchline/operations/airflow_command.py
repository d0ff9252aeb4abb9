"""Airflow's own command line, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from touchline.errors import ServiceFailed


def run_airflow(
    variables: Mapping[str, str], *arguments: str, advice: str = "", seconds: float | None = None
) -> str:
    """What `airflow ARGUMENTS` prints, run with these variables as its whole environment.

    Raises ServiceFailed with `advice` and the end of what Airflow said; subprocess.TimeoutExpired after `seconds`.
    """
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        command = " ".join(arguments[:2])
        raise ServiceFailed(f"`airflow {command}` failed{advice}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout
