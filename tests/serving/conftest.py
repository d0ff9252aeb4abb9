"""The application on a built warehouse, shared by tests that only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from starlette.testclient import TestClient

from databases import copy_of
from served_world import NOW, World
from touchline.serving.app import create_app
from touchline.settings import Settings


@pytest.fixture
def world(served_world: World) -> World:
    """Shared: whoever changes it takes `own_world`."""
    return served_world


@pytest.fixture
def own_world(world: World) -> Iterator[World]:
    """The same for one test alone, which may change it."""
    with copy_of(world.settings) as settings:
        yield replace(world, settings=settings)


@pytest.fixture
def serve() -> Iterator[Callable[..., TestClient]]:
    """Starts the application for settings at a present; every client is closed after the test."""
    clients: list[TestClient] = []

    def start(settings: Settings, now: datetime | None = NOW) -> TestClient:
        async def present() -> datetime | None:
            return now

        client = TestClient(create_app(settings, present, kept_seconds=0), raise_server_exceptions=False)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def api(world: World, serve: Callable[..., TestClient]) -> TestClient:
    """A client of the application on the built warehouse."""
    return serve(world.settings)
