"""The API as a process of its own, as operations start it, and its clock."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest

from api_process import free_port, process
from scraping import parsed, series
from served_world import NOW, World
from simulated_world import simulated_world
from touchline.clock import live_clock
from touchline.sandbox.clock import BEGINNING
from touchline.serving.present import SimulatedPresent, present_of
from touchline.settings import Settings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("module", ["touchline.serving", "touchline.cli"])
def test_the_server_answers_and_stops_when_told(world: World, module: str):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    settings = world.settings.model_copy(update={"as_of": NOW, "api_port": port})
    command = [sys.executable, "-m", module, *(["serve"] if module == "touchline.cli" else [])]
    with process(command, settings, address) as server:
        reply = httpx.get(f"{address}/v1/predictions/upcoming").json()
        assert [prediction["prediction_id"] for prediction in reply["predictions"]] == [
            world.ids["new"],
            world.ids["unpriced"],
        ]
        # A body after HEAD would be read as the next reply.
        with httpx.Client(base_url=address) as client:
            for path in ("/v1/models", "/static-offline-docs/swagger-ui.css", "/"):
                asked, told = client.head(path), client.get(path)
                assert (asked.status_code, told.status_code, asked.content) == (200, 200, b"")
                assert asked.headers["content-length"] == told.headers["content-length"]
        os.killpg(server.pid, signal.SIGINT)
        assert server.wait(30) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)


def test_a_worker_that_does_not_end_is_killed_when_the_server_stops(world: World):
    port = free_port()
    settings = world.settings.model_copy(update={"as_of": NOW, "api_port": port})
    command = [sys.executable, "-m", "touchline.serving"]
    with process(command, settings, f"http://127.0.0.1:{port}") as server:
        (worker,) = psutil.Process(server.pid).children()
        worker.suspend()
        server.terminate()
        assert server.wait(30) == 0
        assert not worker.is_running()


def test_each_of_several_workers_tells_the_requests_of_all(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    port, n_asked = free_port(), 40
    address = f"http://127.0.0.1:{port}"
    settings = world.settings.model_copy(update={"as_of": NOW, "api_port": port, "api_workers": 2})
    with process([sys.executable, "-m", "touchline.serving"], settings, address) as server:
        for _ in range(n_asked):
            # On a connection of its own, so that any worker may get it.
            assert httpx.get(f"{address}/v1/models").is_success
        told = [parsed(httpx.get(f"{address}/metrics").text) for _ in range(10)]
        count = series("api_requests_total", method="GET", route="/v1/models", status="200")
        assert [each[count] for each in told] == [n_asked] * len(told)
        within = series("api_request_seconds_bucket", route="/v1/models", le="+Inf")
        assert {each[within] for each in told} == {n_asked}
        counting = {path.stem.rpartition("_")[2] for path in tmp_path.glob("touchline-api-*/*.db")}
        assert counting == {str(worker.pid) for worker in psutil.Process(server.pid).children()}
        server.terminate()
        assert server.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_present_is_the_given_instant_or_the_wall_clock(tmp_path: Path):
    given = Settings(home=tmp_path, as_of=NOW)
    assert asyncio.run(present_of(given)()) == NOW
    live = Settings(home=tmp_path, source="football-data-uk")
    earlier = live_clock().as_of
    moment = asyncio.run(present_of(live)())
    assert moment is not None
    assert earlier <= moment <= live_clock().as_of


def test_the_present_of_a_simulated_world_is_that_worlds(tmp_path: Path):
    with simulated_world(tmp_path) as server:
        settings = Settings(home=tmp_path, sandbox_port=server.server_address[1])
        present = present_of(settings)
        assert isinstance(present, SimulatedPresent)
        assert asyncio.run(present()) == BEGINNING
        server.clock.move_to(BEGINNING + timedelta(days=1))
        assert asyncio.run(present_of(settings)()) == BEGINNING + timedelta(days=1)
    assert asyncio.run(present_of(settings)()) is None
