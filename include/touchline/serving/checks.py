"""What the API rests on: whether it answers, how soon, and not asked again for a while where it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx
from redis.asyncio import Redis

from touchline.serving.database import Reader
from touchline.settings import Settings

ANSWER_SECONDS: Final = 2.0
# A service that does not answer is left alone for as long: whoever watches asks every few seconds.
REST_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Answer:
    """Whether a service answered; `latency_ms` is None when it was not asked, `detail` says why it did not answer."""

    name: str
    is_ok: bool
    latency_ms: float | None
    detail: str = ""


class Service:
    """A service behind a circuit breaker. `ask` raises when it does not answer."""

    def __init__(self, name: str, ask: Callable[[], Awaitable[object]]) -> None:
        self._name, self._ask = name, ask
        self._rests_until = 0.0
        self._said = ""

    async def look(self) -> Answer:
        """Its answer now."""
        started = time.monotonic()
        if started < self._rests_until:
            left = self._rests_until - started
            return Answer(self._name, False, None, f"{self._said}; not asked again for {left:.0f} s")
        try:
            await asyncio.wait_for(self._ask(), ANSWER_SECONDS)
        except Exception as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            self._said = str(error).strip().partition("\n")[0] or type(error).__name__
            return Answer(self._name, False, 1000 * (time.monotonic() - started), self._said)
        self._rests_until = 0.0
        return Answer(self._name, True, 1000 * (time.monotonic() - started))


def registry_address(settings: Settings) -> str:
    """Where MLflow answers, `http://host:port`, without a slash at its end."""
    if settings.mlflow_tracking_uri is not None:
        return settings.mlflow_tracking_uri.rstrip("/")
    return f"http://127.0.0.1:{settings.running_port('mlflow', settings.mlflow_port)}"


class Services:
    """All that these settings name: the database, the registry, and the Redis that counts requests."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self._http = httpx.AsyncClient(timeout=ANSWER_SECONDS)

        async def ask_database() -> None:
            await reader.rows("select 1 as one")

        async def ask_registry() -> None:
            (await self._http.get(f"{registry_address(settings)}/health")).raise_for_status()

        asks: dict[str, Callable[[], Awaitable[object]]] = {
            "database": ask_database,
            "registry": ask_registry,
        }
        self._redis: Redis | None = None
        if settings.access.redis_url:
            redis = self._redis = Redis.from_url(settings.access.redis_url, socket_timeout=ANSWER_SECONDS)

            async def ask_redis() -> None:
                answer = redis.ping()
                assert not isinstance(answer, bool), "this client is asynchronous"
                await answer

            asks["redis"] = ask_redis
        self._services = [Service(name, ask) for name, ask in asks.items()]

    async def look(self) -> list[Answer]:
        """What each answers, asked side by side."""
        return list(await asyncio.gather(*(each.look() for each in self._services)))

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()
        if self._redis is not None:
            await self._redis.aclose()
