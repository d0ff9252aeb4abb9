"""Prometheus measures of the API: its requests. The state of the pipeline is the exporter's (touchline.exporter)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A method that somebody invented would create its own series.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
# Around what is promised: 95 % within 0.2 seconds.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)
# Where several worker processes count together, for prometheus-client.
FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
# When a series began is one more series, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Measures:
    """Requests as they come: of this process, or of all that have the same `folder` in `FOLDER_VARIABLE`."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "touchline_api_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "touchline_api_request_seconds",
            "Response time, by route.",
            ["route"],
            registry=self._registry,
            buckets=BUCKETS,
        )

    def text(self) -> bytes:
        """All measures in Prometheus' text format. What a process has counted stays when it ends."""
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class RequestMeter:
    """ASGI middleware that counts and times every request, including those that end in an error."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"
        started, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            # The route's pattern instead of the path, because every id would create its own series.
            route = getattr(scope.get("route"), "path", "other")
            self._measures.requests.labels(route, method, status).inc()
            self._measures.seconds.labels(route).observe(time.perf_counter() - started)
