"""An installation as its user sees it: a home and the `touchline` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from touchline.settings import Settings, inherited_environment

RUN_SECONDS = 900


@dataclass(frozen=True)
class Installation:
    """Settings of an installation, and its command line."""

    settings: Settings

    def touchline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._command(*arguments),
            env=self._environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
        )  # fmt: skip

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            self._command(*arguments),
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def with_settings(self, **changes: object) -> Installation:
        """The same installation with another warehouse, or another source."""
        return Installation(self.settings.model_copy(update=changes))

    def sessions(self) -> set[int]:
        """Sessions of the services that were started: each runs in one of its own."""
        records = (self.settings.home / "run").glob("*.json")
        return {int(pid) for path in records if (pid := json.loads(path.read_text()).get("pid"))}

    def processes(self, sessions: set[int]) -> Iterator[psutil.Process]:
        """Everything in these sessions or with this installation's home in its environment.

        Airflow renames its processes, which overwrites the environment that the kernel shows.
        """
        for process in psutil.process_iter():
            try:
                is_ours = process.environ().get("TOUCHLINE_HOME") == str(self.settings.home)
                if is_ours or os.getsid(process.pid) in sessions:
                    yield process
            except (psutil.Error, ProcessLookupError):
                continue

    @property
    def _environment(self) -> dict[str, str]:
        return {**inherited_environment(), **self.settings.environment()}

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "touchline.cli", *arguments]
