"""`python -m touchline.serving`: the read API and the board under granian."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from granian import Granian
from granian.constants import Interfaces

from touchline.clock import live_clock
from touchline.errors import SourceUnavailable
from touchline.serving.app import create_app
from touchline.settings import Settings
from touchline.sources.sandbox import read_clock


def application() -> Any:
    """The application of this process's settings."""
    settings = Settings()

    def present() -> datetime:
        if settings.as_of is not None:
            return settings.as_of
        if settings.is_simulated:
            port = settings.running_port("sandbox", settings.sandbox_port)
            try:
                return read_clock(f"http://127.0.0.1:{port}")
            except SourceUnavailable:
                # Without its clock the simulated world has no present; everything in the ledger is shown.
                return datetime.fromtimestamp(0, UTC)
        return live_clock().as_of

    return create_app(settings, present)


def main() -> None:
    """Serve until told to stop."""
    settings = Settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=settings.bind_host)
    parser.add_argument("--port", type=int, default=settings.api_port)
    options = parser.parse_args()
    Granian(
        "touchline.serving.__main__:application",
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGI,
        factory=True,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main()
