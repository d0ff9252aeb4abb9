"""A simulated world served in this process, and settings that collect from it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from touchline.sandbox.server import SandboxServer
from touchline.settings import SANDBOX, Settings


@contextmanager
def simulated_world(home: Path, seed: int = 7) -> Iterator[SandboxServer]:
    """Serve a world of its own, at its beginning, until the block ends."""
    with SandboxServer("127.0.0.1", 0, seed, home) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def collecting_from(settings: Settings, server: SandboxServer, n_seasons: int = 1) -> Settings:
    """The same installation with this world as its source."""
    changes = {"source": SANDBOX, "sandbox_port": server.server_address[1], "history_seasons": n_seasons}
    return settings.model_copy(update=changes)
