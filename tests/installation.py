"""An installation as its user sees it: a home and the `touchline` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import psutil

from alert_receivers import Webhook
from touchline.settings import Settings, inherited_environment

RUN_SECONDS = 900


@dataclass(frozen=True)
class Installation:
    """Settings of an installation, and its command line."""

    settings: Settings
    hook: Webhook | None = None
    """Where operators are told what is wrong."""
    sessions: set[int] = field(default_factory=set)
    """Of every service that `remember_sessions` found: each runs in one of its own."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What its environment says beside the settings, of Airflow for example."""

    def touchline(self, *arguments: str, seconds: float = RUN_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which it must reach in so many seconds."""
        return subprocess.run(
            self._command(*arguments),
            env=self._environment, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            self._command(*arguments),
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def with_settings(self, **changes: object) -> Installation:
        """The same installation with another warehouse, or another source."""
        return replace(self, settings=self.settings.model_copy(update=changes))

    def remember_sessions(self) -> None:
        """Note the services that run now: what they leave behind is found when their records are gone."""
        records = (self.settings.home / "run").glob("*.life")
        self.sessions.update(int(json.loads(path.read_text())["pid"]) for path in records)

    def processes(self) -> Iterator[psutil.Process]:
        """Everything in a remembered session, working in this installation's home, or with it in its environment.

        Airflow renames its processes, which overwrites the environment that the kernel shows.
        """
        home = str(self.settings.home)
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                is_ours = os.getsid(process.pid) in self.sessions or process.cwd().startswith(home)
                if is_ours or process.environ().get("TOUCHLINE_HOME") == home:
                    yield process
            except (psutil.Error, ProcessLookupError):
                continue

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **inherited_environment(), **self.settings.environment(), **self.settings.notify.environment(),
            **self.variables,
        }  # fmt: skip

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "touchline.cli", *arguments]
