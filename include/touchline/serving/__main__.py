"""`python -m touchline.serving`: the read API and the board under granian."""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
from pathlib import Path

from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.utils.proxies import wrap_asgi_with_proxy_headers
from prometheus_client import values
from starlette.types import ASGIApp

from touchline.serving.app import create_app
from touchline.serving.database import ANSWER_SECONDS
from touchline.serving.measures import FOLDER_VARIABLE
from touchline.serving.present import present_of
from touchline.settings import parts_of, read_settings

# Of the request line and all headers together; the server refuses more.
MOST_HEADER_BYTES = 64 * 1024
# Python's default is 700.
OBJECTS_BEFORE_SEARCH = 50_000


def application() -> ASGIApp:
    """The application for this process's settings; granian's workers call this function."""
    settings = read_settings()
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is not None:
        # Workers are forked from a process that had loaded prometheus-client before it knew the folder.
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    app = create_app(settings, present_of(settings), measures_folder=Path(folder) if folder else None)
    # A search for garbage through all that stays, and it would be often under load, holds up every request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_SEARCH)
    proxies = parts_of(settings.access.proxies)
    # Only of those that are trusted: everybody can say that somebody else asks.
    return wrap_asgi_with_proxy_headers(app, proxies) if proxies else app


def main() -> None:
    """Serve until stopped."""
    settings = read_settings()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=settings.bind_host)
    parser.add_argument("--port", type=int, default=settings.api_port)
    options = parser.parse_args()
    # Who may ask follows from it, and workers read it there.
    os.environ["TOUCHLINE_BIND_HOST"] = options.host
    with tempfile.TemporaryDirectory(prefix="touchline-api-") as folder:
        if settings.api_workers > 1:
            # A new one for every start: what earlier processes have counted is not counted again.
            os.environ[FOLDER_VARIABLE] = folder
        _serve(options.host, options.port, settings.api_workers)


def _serve(host: str, port: int, workers: int) -> None:
    Granian(
        "touchline.serving.__main__:application",
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        log_access=False,
        http1_settings=HTTP1Settings(max_buffer_size=MOST_HEADER_BYTES),
        # Without a bound, the server waits for ever for a worker that does not end.
        workers_kill_timeout=ANSWER_SECONDS + 1,
    ).serve()


if __name__ == "__main__":
    main()
