"""Prometheus measures of one API process."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Measures:
    """Requests as they come, and the state of the pipeline as last read. One registry an application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "touchline_api_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "touchline_api_request_seconds", "Time to answer, by route.", ["route"], registry=self.registry
        )
        self._ready = Gauge("touchline_ready", "1 when predictions can be served.", registry=self.registry)
        self._predicted = Gauge(
            "touchline_last_predicted_timestamp_seconds", "Run clock of the newest prediction.",
            registry=self.registry,
        )  # fmt: skip
        self._step = Gauge(
            "touchline_last_step_timestamp_seconds", "When a pipeline step last succeeded.",
            registry=self.registry,
        )  # fmt: skip
        self._upcoming = Gauge(
            "touchline_upcoming_predictions",
            "Champion predictions of fixtures ahead.",
            registry=self.registry,
        )

    def observe_state(
        self,
        *,
        is_ready: bool,
        last_predicted_at: datetime | None,
        last_step_at: datetime | None,
        n_upcoming: int,
    ) -> None:
        """Set the gauges; times are UTC, 0 stands for never."""
        self._ready.set(is_ready)
        self._predicted.set(last_predicted_at.timestamp() if last_predicted_at else 0)
        self._step.set(last_step_at.timestamp() if last_step_at else 0)
        self._upcoming.set(n_upcoming)
