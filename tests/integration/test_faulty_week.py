"""A week in which everything fails at once ends, when the faults stop, in the warehouse of a week without faults."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from databases import copy_of
from simulated_world import collecting_from, simulated_world
from table_digests import table_digests
from touchline.clock import virtual_clock
from touchline.database.engine import connect, rows
from touchline.errors import SourceUnavailable
from touchline.landing.collect import collect
from touchline.operations.backfill import backfill
from touchline.sandbox.faults import ALL, NONE, Fault
from touchline.settings import Settings
from touchline.sources.source import KINDS
from touchline.warehouse.build import build_layer

pytestmark = pytest.mark.slow

# Spent quotas come back at midnight, corrections a day after the wrong word.
QUIET = timedelta(days=2)
RATE = 0.15
# When we learned a fact, and who told us last, may differ; what is so may not.
PROVENANCE = ("known_at", "observed_at", "published_at", "quoted_at", "source")
FACTS = ("core.match", "core.match_result", "core.season", "core.team", "core.competition")


@contextmanager
def week(
    settings: Settings, home: Path, faulty: timedelta, every: timedelta, *, is_faulty: bool
) -> Iterator[Settings]:
    """Days of collections that may be faulty, two without faults, then a backfill of the former."""
    home.mkdir()
    with (
        copy_of(settings) as own,
        simulated_world(home) as server,
    ):
        collecting = collecting_from(own, server)
        server.faults.switch(ALL if is_faulty else NONE, RATE, slow_seconds=0.01)
        start = server.clock.now
        while server.clock.now < start + faulty + QUIET:
            if server.clock.now >= start + faulty:
                server.faults.switch(NONE)
            now = server.clock.now
            try:
                collect(collecting, virtual_clock(now), f"collect {now.isoformat()}")
            except SourceUnavailable as error:
                logging.getLogger(__name__).warning("%s", error)
            # Where nothing fails, asking more often tells nothing more in the end.
            server.clock.move_to(now + (every if now < start + faulty else timedelta(days=1)))
        clock = virtual_clock(server.clock.now)
        report = backfill(collecting, clock, KINDS, (start.date(), (start + faulty).date()))
        assert report.problems == ()
        collect(collecting, clock, "last")
        build_layer(collecting, "core", clock.as_of, "build")
        if is_faulty:
            hits = server.faults.state()["hits"]
            assert all(hits[fault] > 0 for fault in Fault), hits
        yield collecting


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((2, 12), id="two days, every 12 hours"),
        pytest.param((7, 6), id="a week, every 6 hours", marks=pytest.mark.nightly),
    ],
)
def weeks(
    request: pytest.FixtureRequest, module_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, Settings]]:
    home, (days, hours) = tmp_path_factory.mktemp("worlds"), request.param
    faulty_for, every = timedelta(days=days), timedelta(hours=hours)
    with (
        week(module_settings, home / "quiet", faulty_for, timedelta(days=1), is_faulty=False) as quiet,
        week(module_settings, home / "faulty", faulty_for, every, is_faulty=True) as faulty,
    ):
        yield quiet, faulty


def test_the_same_matches_results_and_teams_are_known_in_the_end(weeks: tuple[Settings, Settings]):
    quiet, faulty = (table_digests(each, ["core"], PROVENANCE) for each in weeks)
    assert {name: quiet[name] for name in FACTS} == {name: faulty[name] for name in FACTS}


def test_the_same_closing_prices_and_prices_of_fixtures_ahead_are_known(weeks: tuple[Settings, Settings]):
    """Prices before a kick-off stay what was known then, right or wrong: the past is not mended."""
    query = (
        "select match_id, odds.stage, bookmaker, market, line, price_home, price_draw, price_away, price_over, "
        "price_under from core.match_odds as odds inner join core.match using (match_id) "
        "where odds.stage = 'closing' or not is_played order by 1, 2, 3, 4, 5"
    )
    found = []
    for each in weeks:
        with connect(each, "transform") as connection:
            found.append(rows(connection, query))
    assert len(found[0]) > 1000
    assert found[0] == found[1]


def test_the_log_tells_what_happened(weeks: tuple[Settings, Settings]):
    _, faulty = weeks
    with connect(faulty, "ingest") as connection:
        states = {row["source"]: row for row in rows(connection, "select * from ops.source_state")}
        failed = rows(
            connection, "select source, sum(n_failures)::int as n from ops.source_usage group by source"
        )
        rules = {row["rule"] for row in rows(connection, "select distinct rule from landing.rejected_row")}
    assert {row["source"] for row in failed if row["n"]} == set(states) == {
        "football_data_uk", "football_data_org", "the_odds_api", "api_football",
    }  # fmt: skip
    assert all(state["last_error"] for state in states.values())
    assert {"payload_unreadable", "duplicate_row"} <= rules


def test_every_row_of_every_payload_is_accounted_for(weeks: tuple[Settings, Settings]):
    for each in weeks:
        with connect(each, "ingest") as connection:
            unbalanced = rows(
                connection,
                "select payload_id, n_rows, n_parsed, n_rejected, (select count(distinct row_number) from "
                "landing.rejected_row where rejected_row.payload_id = parsed.payload_id and scope = 'row' "
                "and rejected_row.run_id = parsed.run_id) as n_told from landing.payload_parsed as parsed "
                "where n_parsed + n_rejected <> n_rows",
            )
            unparsed = rows(
                connection,
                "select payload_id from landing.payload left join landing.payload_parsed using (payload_id) "
                "where payload_parsed.payload_id is null",
            )
        assert (unbalanced, unparsed) == ([], [])
