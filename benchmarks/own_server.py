"""A PostgreSQL server that a benchmark or a test has for itself, with an empty warehouse; it may be made to crash."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchline.database import bootstrap, embedded
from touchline.settings import Settings


@contextmanager
def own_server(**values: Any) -> Iterator[Settings]:
    """Settings of an installation that goes with the block; `values` are settings beside its place and its port."""
    home = Path(tempfile.mkdtemp())
    # PostgreSQL may run as another user.
    home.chmod(0o755)
    settings = Settings(home=home, postgres_port=0, **{"database_name": "touchline_benchmark", **values})
    try:
        bootstrap.prepare(settings)
        yield settings
    finally:
        embedded.stop(settings)
        shutil.rmtree(home)


@dataclass(frozen=True)
class Unsupervised:
    """A server that nobody brings back but who holds this; `settings` know only its address."""

    settings: Settings
    server: embedded.EmbeddedServer
    port: int

    def start(self) -> None:
        """Start it and wait until it takes connections, which after a crash is when it has recovered."""
        self._control("start", "-w", "-o", f"-p {self.port}", "-l", str(self.server.data / "server.log"))

    def crash(self) -> None:
        """Stop it as a crash would: no session ends in order, and the next start has to recover."""
        self._control("stop", "-m", "immediate")

    def _control(self, *what: str) -> None:
        subprocess.run(
            [str(self.server.programs / "pg_ctl"), "-D", str(self.server.data), *what],
            check=True, **self.server.as_user, cwd=self.server.data,
            env=embedded.PLAIN, stdout=subprocess.DEVNULL,
        )  # fmt: skip


@contextmanager
def unsupervised(settings: Settings) -> Iterator[Unsupervised]:
    """The server of an installation, taken from its supervisor and running; in the end it is stopped."""
    alone = settings.model_copy(update={"database_url": settings.admin_url})
    held = Unsupervised(alone, embedded.describe(settings), settings.running_port(embedded.NAME, 0))
    embedded.stop(settings)
    held.start()
    try:
        yield held
    finally:
        held.crash()
