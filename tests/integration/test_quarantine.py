"""What waits in quarantine is used once it can be, and everything is dated by the clock at the time it was seen."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from databases import copy_of
from simulated_world import collecting_from, simulated_world
from table_digests import table_digests
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.landing.collect import collect
from touchline.operations.pipeline import run_step
from touchline.operations.steps import STEPS, collecting
from touchline.quality.gates import check_landing
from touchline.settings import Settings
from touchline.sources.source import KINDS
from warehouse import read_by_a_build

FACTS = """
select 'fixture' as fact, source, count(*) as n, count(distinct fixture_key) as n_matches, max(known_at) as known_at
from landing.fixture_observation group by source
union all
select 'score', source, count(*), count(distinct fixture_key), max(known_at)
from landing.score_observation group by source
union all
select 'quote', source, count(*), count(distinct fixture_key), max(known_at)
from landing.odds_observation group by source
order by fact, source
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_built", [False, True])
def test_prices_of_a_match_that_nobody_has_announced_wait_for_its_fixture(
    settings: Settings, tmp_path: Path, is_built: bool
):
    with simulated_world(tmp_path) as server:
        own = collecting_from(settings, server)
        early = server.clock.now
        collect(own, virtual_clock(early), "anchor", ("fixtures", "scores"), only=("football_data_uk",))
        waiting = collect(own, virtual_clock(early), "odds", ("odds",), only=("api_football",))
        assert waiting.rows == waiting.rejected > 0
        assert waiting.new_quotes == 0
        if is_built:
            read_by_a_build(own, early)
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
    assert found["observed_at"] == early
    if is_built:
        assert found["known_at"] == later, "predictions were made without these prices"
    else:
        assert found["known_at"] <= early


@pytest.mark.slow
def test_sources_collected_side_by_side_end_in_the_same_facts_whichever_is_first(
    settings: Settings, tmp_path: Path
):
    names = ("football_data_uk", "football_data_org", "the_odds_api", "api_football")
    with simulated_world(tmp_path) as server, copy_of(settings) as another:
        landed, built = [], []
        for own, order in ((settings, names), (another, names[::-1])):
            own = collecting_from(own, server)
            for kind in KINDS:
                for source in order:
                    run_step(own, collecting((kind,), (source,)), f"{kind} of {source}")
                run_step(own, STEPS[f"announce_{kind}"], kind)
            with connect(own, "ingest") as connection:
                landed.append(rows(connection, FACTS))
            run_step(own, STEPS["build_core"], "build")
            built.append(table_digests(own, ["core"]))
    assert len({row["source"] for row in landed[0]}) == len(names)
    assert landed[0] == landed[1]
    assert built[0] == built[1]


@pytest.mark.slow
def test_a_run_that_the_world_overtakes_learns_nothing_before_it_was_so(settings: Settings, tmp_path: Path):
    """A collection is interrupted, the clock moved on by a week, and the collection continued as of its own time."""
    with simulated_world(tmp_path) as server:
        own = collecting_from(settings, server)
        early = server.clock.now
        later = early + timedelta(days=7)
        collect(own, virtual_clock(early), "run", ("scores",), only=("football_data_uk",))
        server.clock.move_to(later)
        collect(own, virtual_clock(early), "run", ("fixtures", "scores"), only=("football_data_uk",))
    with connect(own, "ingest") as connection:
        (told,) = rows(
            connection,
            "select count(*) filter (where observed_at = %(later)s) as n_later, "
            "count(*) filter (where known_at < kickoff_at) as n_early, "
            "count(*) filter (where kickoff_at > %(early)s) as n_of_the_week "
            "from landing.score_observation as score inner join lateral (select max(kickoff_at) as kickoff_at "
            "from landing.fixture_observation where fixture_key = score.fixture_key) as fixture on true",
            {"early": early, "later": later},
        )
        seen = rows(connection, "select distinct observed_at from landing.payload_seen")
    assert told["n_later"] >= told["n_of_the_week"] > 0
    assert told["n_early"] == 0
    assert [row["observed_at"] for row in seen] == [later]
    report = check_landing(own, later, "check")
    assert (report.n_quarantined, report.held) == (0, ())
