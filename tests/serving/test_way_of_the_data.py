"""The page inside Airflow: what it says of every asset, and of the matches ahead."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from served_world import NOW, World
from touchline.database.engine import connect
from touchline.operations import names, way
from touchline.serving.database import Reader
from touchline.settings import Settings

pytestmark = pytest.mark.slow


def page_of(settings: Settings, now: datetime = NOW) -> str:
    async def show() -> tuple[str, bool]:
        async def present() -> datetime | None:
            return now

        reader = Reader(settings)
        try:
            return await way.page(settings, reader, present)
        finally:
            await reader.close()

    html, is_read = asyncio.run(show())
    assert is_read == ("No answer from the database" not in html)
    return html


def words(html: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def test_every_asset_has_a_stage_a_maker_and_a_promise():
    assert sorted(asset for _, assets in names.STAGES for asset in assets) == sorted(names.ASSETS)
    assert {dag for _, assets in names.STAGES for dag, _ in assets.values()} <= set(names.DAGS)
    assert names.PROMISED.keys() == set(names.ASSETS)


def test_an_asset_shows_its_age_its_promise_and_whether_it_is_late(own_world: World):
    with connect(own_world.settings, "ingest") as connection:
        for step, age, status in (
            ("collect_fixtures+odds/football_data_uk", timedelta(hours=8), "success"),
            ("publish_features", timedelta(hours=1), "success"),
            ("tune", timedelta(days=3), "success"),
            ("settle", timedelta(0), "failed"),
        ):
            connection.execute(
                "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at, detail) "
                'values (%s, %s, %s, %s, clock_timestamp(), \'{"error": "no room\\nfor it"}\')',
                (step, step, NOW - age, status),
            )
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at, detail) "
            "values ('b', 'build_core', %s, 'success', clock_timestamp(), "
            '\'{"matches": {"competitions": ["D1", "E0"], "first_match_on": "2022-11-02", '
            '"last_match_on": "2022-11-05", "n_matches": 3}}\')',
            (NOW,),
        )
    text = words(page_of(own_world.settings))
    assert "landing/fixtures fresh 8 h ago promised every 26 h" in text
    assert "landing/odds late 8 h ago promised every 7 h" in text
    assert "landing/scores never not made yet promised every 7 h" in text
    assert (
        "warehouse/features fresh 1 h ago promised every 8 h 3 matches of D1, E0, 2022-11-02 to 2022-11-05"
        in text
    )
    assert "models/tuned fresh 3 days ago promised every 8 days" in text
    assert "predictions/settled failed not made yet promised every 9 h no room settle_predictions" in text
    assert "for it" not in text


def test_it_shows_the_matches_ahead_as_the_board_does(world: World):
    html = page_of(world.settings)
    assert 'aria-label="home 50 %, draw 30 %, away 20 %"' in html
    assert "Wednesday, 02 November 2022" in html
    assert "Leeds" in html
    assert f'href="/matches/{world.priced}"' in html


def test_without_a_database_it_says_what_to_do(world: World):
    nowhere = world.settings.model_copy(update={"database_url": "postgresql://nobody:x@127.0.0.1:9/postgres"})
    assert "start it with `touchline up`" in words(page_of(nowhere, datetime(2022, 11, 2, tzinfo=UTC)))
