"""The API's clock: a simulated world that takes what it is asked and says nothing does not hold up requests."""

from __future__ import annotations

import asyncio
import socket

import pytest

from touchline.serving import present
from touchline.settings import Settings


def test_a_world_that_never_answers_is_given_up_within_the_patience_of_a_request(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(present, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        asked = present.SimulatedPresent(settings.model_copy(update={"sandbox_url": address}))

        async def ask() -> object:
            return await asyncio.wait_for(asked(), 5)

        assert asyncio.run(ask()) is None
