"""Readers of the API at a constant rate, for as long as a validation lasts; every answer is counted."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import httpx
import numpy as np

SECONDS_TO_ANSWER: Final = 5.0
# What people and applications read, whatever competitions there are.
PATHS: Final = ("/v1/predictions/upcoming?limit=20", "/v1/competitions", "/v1/health/ready", "/")
OF_A_COMPETITION: Final = (
    "/v1/predictions/upcoming?competition={code}&limit=20",
    "/v1/competitions/{code}/table",
    "/v1/matches?competition={code}&limit=20",
)
MOST_CAUSES: Final = 20


@dataclass
class Answers:
    """Answers by the phase in which they were asked for. `at` is time.monotonic, `milliseconds` until the last byte."""

    at: array[float] = field(default_factory=lambda: array("d"))
    milliseconds: array[float] = field(default_factory=lambda: array("d"))
    failed_at: array[float] = field(default_factory=lambda: array("d"))
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def n(self) -> int:
        """All that was asked."""
        return len(self.at) + len(self.failed_at)

    def failures_outside(self, spans: list[tuple[float, float]]) -> int:
        """Failures that are in none of these spans of time.monotonic."""
        return sum(not any(start <= at <= end for start, end in spans) for at in self.failed_at)

    def percentile(self, percent: float) -> float | None:
        """Milliseconds; None without an answer."""
        return float(np.percentile(self.milliseconds, percent)) if self.milliseconds else None


class Readers:
    """Asks an API at `address` `rate` times a second, whether it answers or not."""

    def __init__(self, address: str) -> None:
        self.rate = 1.0
        self.answers: dict[str, Answers] = {}
        self._address = address
        self._phase = ""
        self._is_over = threading.Event()

    def enter(self, phase: str, rate: float) -> None:
        """From now on the answers are those of a phase, at so many requests a second."""
        self.answers.setdefault(phase, Answers())
        self._phase, self.rate = phase, rate

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Ask while the block runs."""
        thread = threading.Thread(target=lambda: asyncio.run(self._read()), name="readers")
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    async def _read(self) -> None:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with (
            httpx.AsyncClient(base_url=self._address, timeout=SECONDS_TO_ANSWER, limits=limits) as client,
            asyncio.TaskGroup() as asking,
        ):
            due, paths = time.monotonic(), await _paths(client)
            for number in itertools.count():
                if self._is_over.is_set():
                    return
                # One that is behind does not catch up: that would be another load.
                due = max(due + 1 / self.rate, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if self._phase:
                    path = paths[number % len(paths)]
                    asking.create_task(self._ask(client, path, self.answers[self._phase]))

    async def _ask(self, client: httpx.AsyncClient, path: str, answers: Answers) -> None:
        began = time.monotonic()
        try:
            reply = await client.get(path)
            cause = None if reply.is_success else f"{reply.status_code} of {path}"
        except httpx.HTTPError as error:
            cause = f"{type(error).__name__} of {path}"
        if cause is None:
            answers.at.append(began)
            answers.milliseconds.append(1000 * (time.monotonic() - began))
        else:
            answers.failed_at.append(began)
            if cause in answers.causes or len(answers.causes) < MOST_CAUSES:
                answers.causes[cause] += 1


async def _paths(client: httpx.AsyncClient) -> tuple[str, ...]:
    """What is asked for in turn; of one competition, where one is known, what there is to be told."""
    found = []
    with suppress(httpx.HTTPError):
        found = (await client.get("/v1/competitions?limit=1")).raise_for_status().json()["competitions"]
    return (*PATHS, *(path.format(code=each["competition"]) for each in found for path in OF_A_COMPETITION))


def figures(answers: Mapping[str, Answers]) -> dict[str, dict[str, float | int | None]]:
    """By phase: requests, failures, median and 95th percentile in milliseconds."""
    return {
        phase: {
            "requests": each.n, "failures": len(each.failed_at), "p50_milliseconds": each.percentile(50),
            "p95_milliseconds": each.percentile(95),
        }
        for phase, each in answers.items()
    }  # fmt: skip
