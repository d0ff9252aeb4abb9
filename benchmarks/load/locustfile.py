"""Readers of an application who think between requests, for Locust: `make load`, or see docs/api.md.

Each looks at what is ahead, opens a match, its markets or its odds, and reads a prediction by its key, with 1 to 5
seconds in between. Locust prints answers a second, percentiles and failures; a reply with another status than 200
is a failure.
"""

from __future__ import annotations

import os
import random
from typing import Any

from locust import HttpUser, between, task

LIMIT = 20


class Reader(HttpUser):
    """One reader; with `TOUCHLINE_API_TOKEN` it sends a key."""

    wait_time = between(1, 5)

    def on_start(self) -> None:
        """Open the application: which competitions there are, and what is ahead."""
        if token := os.environ.get("TOUCHLINE_API_TOKEN"):
            self.client.headers["Authorization"] = f"Bearer {token}"
        self.competitions = [
            each["competition"]
            for each in self._get("/v1/competitions")["competitions"]
            if each["n_upcoming"]
        ]
        self.ahead: list[dict[str, Any]] = self._get(
            f"/v1/predictions/upcoming?limit={LIMIT}", "/v1/predictions/upcoming"
        )["predictions"]

    @task(5)
    def look_at_what_is_ahead(self) -> None:
        """What is ahead, of all competitions or of one."""
        path = f"/v1/predictions/upcoming?limit={LIMIT}"
        if self.competitions and random.random() < 0.5:
            path += f"&competition={random.choice(self.competitions)}"
        self.ahead = self._get(path, "/v1/predictions/upcoming")["predictions"] or self.ahead

    @task(3)
    def open_a_match(self) -> None:
        """A match."""
        self._of_a_match("")

    @task(2)
    def compare_markets(self) -> None:
        """All its markets."""
        self._of_a_match("/markets")

    @task(1)
    def compare_prices(self) -> None:
        """What bookmakers offer."""
        self._of_a_match("/odds")

    @task(3)
    def read_a_prediction(self) -> None:
        """One prediction by its key."""
        if self.ahead:
            prediction = random.choice(self.ahead)["prediction_id"]
            self._get(f"/v1/predictions/{prediction}", "/v1/predictions/{prediction_id}")

    @task(1)
    def look_at_the_board(self) -> None:
        """The page for people."""
        self.client.get("/")

    def _of_a_match(self, part: str) -> None:
        if self.ahead:
            match = random.choice(self.ahead)["match_id"]
            self._get(f"/v1/matches/{match}{part}", f"/v1/matches/{{match_id}}{part}")

    def _get(self, path: str, name: str | None = None) -> Any:
        """The JSON of a reply; Locust counts it under `name`, the route."""
        reply = self.client.get(path, name=name)
        reply.raise_for_status()
        return reply.json()
