"""The page of the data: what is wrong comes first, with what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from page_text import words
from served_world import NOW, World
from touchline.database.engine import connect
from touchline.quality.gates import check_core

pytestmark = pytest.mark.slow

Serve = Callable[..., TestClient]


def test_what_is_wrong_comes_first_with_what_to_do(own_world: World, serve: Serve):
    with connect(own_world.settings, "ingest") as connection:
        connection.execute(
            "insert into ops.source_state (source, circuit, n_failures, last_success_as_of, quota_spent_until) "
            "values ('the_odds_api', 'open', 5, %s, %s)",
            (NOW - timedelta(hours=30), NOW + timedelta(hours=12)),
        )
    with connect(own_world.settings, "transform") as connection:
        connection.execute(
            "update core.match_result set known_at = '2020-01-01' where match_id = %s", (own_world.played,)
        )
    assert check_core(own_world.settings, NOW, "run").held == ("E0",)
    page = words(serve(own_world.settings).get("/data").text)
    top, _, rest = page.partition("Checks")
    assert "A quality gate holds E0" in top
    assert "The_odds_api is not called after 5 failures in a row. To do: it is asked again by itself" in top
    assert "The quota of the_odds_api is spent until 2022-11-03 00:00 UTC" in top
    assert re.search(r"core just now \d+ 1 0 0", rest), "one expectation blocks"
    assert re.search(r"core_match_result\.seconds_after_kickoff \w* ?core 1 held", rest)
    assert "the_odds_api 30 h ago late open" in page


def test_what_could_not_be_used_is_counted_by_reason_and_source(own_world: World, serve: Serve):
    with connect(own_world.settings, "ingest") as connection:
        for number in (7, 8):
            connection.execute(
                "insert into landing.rejected_row (payload_id, row_number, scope, rule, reason, observed_at, run_id) "
                "select payload_id, %s, 'row', 'date_format', 'no day in 32/13/2022', %s, 'run' from landing.payload "
                "limit 1",
                (number, NOW - timedelta(hours=3)),
            )
    page = words(serve(own_world.settings).get("/data").text)
    assert re.search(
        r"date_format What it is, and what to do A match needs a day that can be read\. To do: .* "
        r"Last: no day in 32/13/2022 football_data_uk 2 2 3 h ago",
        page,
    )


def test_layers_and_facts_have_their_ages(api: TestClient):
    page = words(api.get("/data").text)
    assert "core just now fresh" in page
    assert "results 23 Oct 2022" in page or re.search(r"results \d\d \w+ 2022, \d\d:\d\d", page)
    assert "Everything that came could be used" in page


def test_old_tables_are_late(world: World, serve: Serve):
    page = words(serve(world.settings, NOW + timedelta(days=2)).get("/data").text)
    assert re.search(r"core 2 days ago late|core 48 h ago late", page)
    assert "What is wrong, and what to do" in page


def test_without_a_database_it_is_a_problem_that_says_what_to_do(world: World, serve: Serve):
    nowhere = world.settings.model_copy(update={"database_url": "postgresql://nobody:x@127.0.0.1:9/postgres"})
    reply = serve(nowhere).get("/data")
    assert (reply.status_code, reply.headers["content-type"]) == (503, "application/problem+json")
    assert "touchline up" in reply.json()["detail"]
