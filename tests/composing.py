"""docker-compose, where this machine has one that reads the project's files."""

from __future__ import annotations

import shutil
import subprocess

import pytest


def docker_compose() -> str:
    """Its path; skips the test, and says why, where there is none of version 2."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("there is no docker-compose on this machine: install version 2")
    version = subprocess.run(
        [program, "version", "--short"], capture_output=True, text=True, check=False
    ).stdout.strip()
    if version.removeprefix("v").startswith("1."):
        pytest.skip(f"docker-compose is {version} on this machine, and version 2 reads docker/compose.yaml")
    return program
