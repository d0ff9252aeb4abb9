"""`python -m touchline.serving`: the read API and the board under granian."""

from __future__ import annotations

import argparse

from fastapi import FastAPI
from granian import Granian
from granian.constants import Interfaces

from touchline.serving.app import create_app
from touchline.serving.database import ANSWER_SECONDS
from touchline.serving.present import present_of
from touchline.settings import read_settings


def application() -> FastAPI:
    """The application for this process's settings; granian's workers call this function."""
    settings = read_settings()
    return create_app(settings, present_of(settings))


def main() -> None:
    """Serve until stopped."""
    settings = read_settings()
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
        workers=settings.api_workers,
        log_access=False,
        # Without a bound, the server waits for ever for a worker that does not end.
        workers_kill_timeout=ANSWER_SECONDS + 1,
    ).serve()


if __name__ == "__main__":
    main()
