"""The board tells what the quality gates said last, and which competitions are held."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from served_world import NOW, World
from touchline.database.engine import connect
from touchline.quality.gates import check_core

pytestmark = pytest.mark.slow

Serve = Callable[..., TestClient]


def test_the_board_shows_the_gates_and_what_is_held(own_world: World, serve: Serve):
    api = serve(own_world.settings)
    assert "No gate has run yet" in api.get("/").text
    with connect(own_world.settings, "transform") as connection:
        connection.execute(
            "update core.match_result set known_at = '2020-01-01' where match_id = %s", (own_world.played,)
        )
    assert check_core(own_world.settings, NOW, "run").held == ("E0",)
    page = api.get("/").text
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert re.search(r"Data quality .* core \d+ just now 1 0 0", text)
    assert "No gate has run yet" not in text
    assert "Held: E0." in text
    top = text.partition("upcoming predictions")[0]
    assert re.search(
        r"A quality gate holds E0 since 2022-11-02 12:00 UTC: core_match_result\.seconds_after_kickoff", top
    )
