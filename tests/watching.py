"""Debian's programs that watch, as tests run them, and what docker/ tells them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api_process import free_port
from touchline.operations import status
from touchline.operations.monitoring_services import INSTALLED_AS
from touchline.settings import PROJECT_ROOT

PROMETHEUS = PROJECT_ROOT / "docker" / "prometheus"
ALERTMANAGER = PROJECT_ROOT / "docker" / "alertmanager"
STARTUP_SECONDS = 30


def installed(name: str) -> str:
    """Where one of Debian's programs is; skips the test, and says why, where it is not."""
    programs, package = INSTALLED_AS.get(
        name, ((name,), {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}.get(name, name))
    )
    found = next((path for each in programs if (path := shutil.which(each))), None)
    if found is None:
        pytest.skip(f"there is no {name} on this machine: apt-get install {package}")
    return found


def alert_rules() -> list[dict[str, Any]]:
    """Every alert of the committed rules, with the name of its group."""
    groups = [
        group
        for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    return [
        {**rule, "group": group["name"]} for group in groups for rule in group["rules"] if "alert" in rule
    ]


@contextmanager
def alertmanager(configuration: Path) -> Iterator[str]:
    """A real one; yields its address."""
    command = [
        installed(status.ALERTMANAGER), f"--config.file={configuration}", "--cluster.listen-address=",
        f"--storage.path={configuration.parent / 'data'}",
    ]  # fmt: skip
    with _of_debian(command) as address:
        yield address


@contextmanager
def prometheus(configuration: Path) -> Iterator[str]:
    """A real one; yields its address."""
    command = [
        installed(status.PROMETHEUS), f"--config.file={configuration}",
        f"--storage.tsdb.path={configuration.parent / 'data'}",
    ]  # fmt: skip
    with _of_debian(command) as address:
        yield address


def await_that(condition: Callable[[], object], what: str, seconds: float = STARTUP_SECONDS) -> None:
    """Wait until it is so; an assertion that says what is not, after a long time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds:.0f} s: {what}"
        time.sleep(0.1)


@contextmanager
def running(
    command: list[str], address: str, ready: str, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A server, once it answers at `address`; killed in the end with all it has started."""
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as started:  # fmt: skip

        def answers() -> bool:
            assert started.poll() is None, started.stderr and started.stderr.read()
            with suppress(httpx.TransportError):
                return httpx.get(f"{address}{ready}", trust_env=False).is_success
            return False

        try:
            await_that(answers, f"{command[0]} answers")
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


@contextmanager
def _of_debian(command: list[str]) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    listening = [*command, f"--web.listen-address={address}", "--log.level=error"]
    with running(listening, f"http://{address}", "/-/ready"):
        yield f"http://{address}"
