"""The API as a process of its own, as operations start it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import httpx

from touchline.accounts import keys
from touchline.accounts.keys import NewKey
from touchline.database.engine import connect
from touchline.settings import PROJECT_ROOT, Settings

STARTUP_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str], settings: Settings, address: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command, once it answers at the address; with all it started it is killed in the end."""
    variables = {
        **os.environ, **settings.environment(), **settings.access.environment(), **settings.passwords("api", "access"),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }  # fmt: skip
    with subprocess.Popen(command, env=variables, start_new_session=True) as started:
        try:
            deadline = time.monotonic() + STARTUP_SECONDS
            while True:
                with suppress(httpx.TransportError):
                    if httpx.get(f"{address}/v1/health/live").is_success:
                        break
                assert started.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.2)
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def key_for(settings: Settings, *scopes: str, ago: timedelta = timedelta(0)) -> NewKey:
    """A key of somebody, made so long ago for a day."""
    at = datetime.now(UTC) - ago
    with connect(settings, "owner") as connection:
        return keys.create(connection, "somebody", scopes, at, at + timedelta(days=1))
