"""What waits in quarantine is used once it can be, from the stored payload, and counts as known from then on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from simulated_world import collecting_from, simulated_world
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.landing.collect import collect
from touchline.settings import Settings


@pytest.mark.slow
def test_prices_of_a_match_that_nobody_has_announced_wait_for_its_fixture(settings: Settings, tmp_path: Path):
    with simulated_world(tmp_path) as server:
        own = collecting_from(settings, server)
        early = server.clock.now
        collect(own, virtual_clock(early), "anchor", ("fixtures", "scores"), only=("football_data_uk",))
        waiting = collect(own, virtual_clock(early), "odds", ("odds",), only=("api_football",))
        assert waiting.rows == waiting.rejected > 0
        assert waiting.new_quotes == 0
        later = early + timedelta(hours=1)
        server.clock.move_to(later)
        announced = collect(own, virtual_clock(later), "fixtures", ("fixtures",), only=("api_football",))
        assert announced.replayed == waiting.rejected
        again = collect(own, virtual_clock(later), "again", ("fixtures",), only=("api_football",))
        assert again.replayed == 0
    with connect(own, "ingest") as connection:
        (found,) = rows(
            connection,
            "select count(*) as n, count(distinct fixture_key) as n_matches, min(known_at) as known_at, "
            "max(observed_at) as observed_at from landing.odds_observation where source = 'api_football'",
        )
    assert found["n"] > 0
    assert found["n_matches"] == waiting.rejected
    assert (found["known_at"], found["observed_at"]) == (later, early)
