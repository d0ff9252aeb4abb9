"""The API's clock: a simulated world that does not answer holds up no request."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest

from touchline.serving import present
from touchline.settings import Settings

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_a_world_whose_answer_does_not_come_is_asked_once_and_believed_when_it_does(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    comes, asked = threading.Event(), []

    def ask(address: str) -> datetime:
        asked.append(address)
        comes.wait()
        return NOON

    monkeypatch.setattr(present, "read_clock", ask)
    monkeypatch.setattr(present, "ANSWER_SECONDS", 0.02)
    monkeypatch.setattr(present, "KEPT_SECONDS", -1.0)

    async def requests() -> list[datetime | None]:
        clock = present.SimulatedPresent(settings)
        told = [await asyncio.wait_for(clock(), 30) for _ in range(3)]
        comes.set()
        while (now := await clock()) is None:
            pass
        return [*told, now]

    assert asyncio.run(requests()) == [None, None, None, NOON]
    assert len(asked) == 1
