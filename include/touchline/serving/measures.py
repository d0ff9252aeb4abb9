"""Prometheus measures of one API process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from touchline.monitoring.shortfalls import KINDS
from touchline.serving.state import State

UNKNOWN = float("nan")
# A method that somebody invented would create its own series.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})


class Measures:
    """Requests as they come, and the state of the pipeline as last read. One registry per application.

    The pipeline's times are on the run clock, whose present is `touchline_run_clock_timestamp_seconds`. An age is the
    difference of the two, even where the clock is virtual.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "touchline_api_requests",
            "Requests by route, method and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "touchline_api_request_seconds", "Response time, by route.", ["route"], registry=self.registry
        )
        self._ready = self._gauge("touchline_ready", "1 when predictions can be served.")
        self._now = self._gauge("touchline_run_clock_timestamp_seconds", "The run clock's present.")
        self._predicted = self._gauge(
            "touchline_last_predicted_timestamp_seconds", "Run clock of the newest prediction."
        )
        self._upcoming = self._gauge(
            "touchline_upcoming_predictions", "Fixtures ahead with a champion prediction."
        )
        self._unpredicted = self._gauge(
            "touchline_unpredicted_fixtures", "Fixtures of the horizon without a champion prediction."
        )
        self._steps = Gauge(
            "touchline_last_step_timestamp_seconds",
            "Run clock of the last success of a pipeline step.",
            ["step"],
            registry=self.registry,
        )

        self._circuits = self._source_gauge(
            "touchline_source_circuit_open", "1 while a source is not called."
        )
        self._credits = self._source_gauge(
            "touchline_source_remaining_credits", "Credits left, as last reported."
        )
        self._heard = self._source_gauge(
            "touchline_source_last_success_timestamp_seconds", "Run clock of a source's last answer."
        )
        self._calls = self._source_gauge("touchline_source_calls", "All calls made to a source.")
        self._failed_calls = self._source_gauge(
            "touchline_source_failed_calls", "Calls to a source that failed."
        )

        self._failures = Gauge(
            "touchline_quality_failures",
            "Expectations that failed in the last run of a gate.",
            ["gate", "severity"],
            registry=self.registry,
        )
        self._checked = Gauge(
            "touchline_quality_checked_timestamp_seconds",
            "Run clock of a gate's last run.",
            ["gate"],
            registry=self.registry,
        )
        self._held = self._gauge("touchline_held_competitions", "Competitions that a quality gate holds.")
        self._shortfalls = Gauge(
            "touchline_shortfalls",
            "What is missing from what is served, by kind; above 0 Touchline is degraded.",
            ["kind"],
            registry=self.registry,
        )

    def text(self, state: State) -> bytes:
        """All measures with the pipeline's state, in Prometheus' text format; NaN stands for unknown."""
        self._ready.set(not state.reasons)
        self._now.set(_seconds(state.as_of))
        self._predicted.set(_seconds(state.last_predicted_at))
        self._upcoming.set(UNKNOWN if state.n_upcoming is None else state.n_upcoming)
        unpredicted = [each.n for each in state.shortfalls if each.kind == "unpredicted"]
        self._unpredicted.set(UNKNOWN if state.n_upcoming is None else sum(unpredicted))
        self._set_steps(state.last_steps)
        for source in state.sources:
            name, left = source["source"], source["remaining_credits"]
            self._circuits.labels(name).set(source["circuit"] == "open")
            self._credits.labels(name).set(UNKNOWN if left is None else left)
            self._heard.labels(name).set(_seconds(source["last_success_at"]))
            self._calls.labels(name).set(source["n_calls"])
            self._failed_calls.labels(name).set(source["n_failed_calls"])
        for gate in state.quality:
            self._checked.labels(gate["gate"]).set(_seconds(gate["as_of"]))
            for severity in ("block", "quarantine", "warn"):
                self._failures.labels(gate["gate"], severity).set(gate[f"n_{severity}"])
        kinds = [each.kind for each in state.shortfalls]
        self._held.set(kinds.count("held"))
        for kind in KINDS:
            self._shortfalls.labels(kind).set(UNKNOWN if state.as_of is None else kinds.count(kind))
        return generate_latest(self.registry)

    def _gauge(self, name: str, description: str) -> Gauge:
        return Gauge(name, description, registry=self.registry)

    def _source_gauge(self, name: str, description: str) -> Gauge:
        return Gauge(name, description, ["source"], registry=self.registry)

    def _set_steps(self, last_steps: Mapping[str, datetime]) -> None:
        for step, as_of in last_steps.items():
            self._steps.labels(step).set(as_of.timestamp())


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


def _seconds(moment: datetime | None) -> float:
    return UNKNOWN if moment is None else moment.timestamp()
