"""`python -m touchline.exporter`: serves the metrics under granian."""

from __future__ import annotations

import argparse
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from granian import Granian
from granian.constants import Interfaces
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from touchline.exporter.catalogue import read_catalogue
from touchline.exporter.exporter import Exporter
from touchline.serving.present import present_of
from touchline.settings import read_settings


def create_app(exporter: Exporter) -> Starlette:
    """`/metrics` for Prometheus, and `/live` for who wants to know whether the process runs."""

    async def metrics(_: Request) -> Response:
        return Response(await exporter.scrape(), media_type=CONTENT_TYPE_LATEST)

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await exporter.close()

    return Starlette(routes=[Route("/metrics", metrics), Route("/live", live)], lifespan=lifespan)


def application() -> Starlette:
    """The application for this process's settings; granian's worker calls this function."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    settings = read_settings()
    return create_app(Exporter(settings, read_catalogue(), present_of(settings)))


def main() -> None:
    """Serve until stopped."""
    settings = read_settings()
    # What is wrong with the list is told before anything starts.
    read_catalogue()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=settings.bind_host)
    parser.add_argument("--port", type=int, default=settings.exporter_port)
    options = parser.parse_args()
    # One process, so that every scrape finds what the one before has kept.
    Granian(
        "touchline.exporter.__main__:application",
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=1,
        log_access=False,
        workers_kill_timeout=2,
    ).serve()


if __name__ == "__main__":
    main()
