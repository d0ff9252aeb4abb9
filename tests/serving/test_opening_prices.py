"""The first price that was seen of a fixture is kept, whatever is offered later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from served_world import FIXTURES, LATER, NOW, World
from table_digests import table_digests
from touchline.warehouse.build import build_layer
from warehouse import land, round_robin

pytestmark = pytest.mark.slow


def test_a_price_opens_at_what_was_first_seen_and_moves_until_kickoff(
    own_world: World, serve: Callable[..., TestClient], tmp_path: Path
):
    def quotes(match_id: str) -> dict[str, dict[str, Any]]:
        found = serve(own_world.settings).get(f"/v1/matches/{match_id}/odds").json()["quotes"]
        return {
            each["stage"]: each for each in found if (each["bookmaker"], each["market"]) == ("B365", "1x2")
        }

    before = quotes(own_world.priced)
    assert set(before) == {"opening", "prematch"}
    assert before["opening"]["price_home"] == before["prematch"]["price_home"] != 1.95
    assert before["opening"]["known_at"] == "2022-11-02T12:00:00Z"
    moved = {**FIXTURES[0], "B365H": "1.95"}
    land(own_world.settings, tmp_path, [*round_robin(), moved, *FIXTURES[1:]], LATER)
    build_layer(own_world.settings, "core", LATER, "build")
    after = quotes(own_world.priced)
    assert (after["opening"], after["prematch"]["price_home"]) == (before["opening"], 1.95)
    # Its file came after it was played: nobody saw at what it opened.
    assert set(quotes(own_world.played)) == {"prematch"}
    increments = table_digests(own_world.settings, ["core"])
    build_layer(own_world.settings, "core", LATER, "build", is_full=True)
    assert table_digests(own_world.settings, ["core"]) == increments
    build_layer(own_world.settings, "core", NOW, "build")
    assert quotes(own_world.priced) == before
