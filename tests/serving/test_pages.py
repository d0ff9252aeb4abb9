"""The pages behind the board: a match, a competition, the models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from page_text import words
from served_world import NOW, World
from touchline.database.engine import connect
from touchline.lineage.trace import trace
from touchline.serving.chart import SIDES, movement
from touchline.serving.lineage_schemas import Lineage
from touchline.serving.pages import best_prices, heat_map
from touchline.serving.schemas import Match

pytestmark = pytest.mark.slow


def test_a_match_shows_its_forecast_beside_the_market(api: TestClient, world: World):
    page = words(api.get(f"/matches/{world.priced}").text)
    assert page.startswith("Skip to the content Leeds v Arsenal as of Wed 02 Nov 2022, 12:00 UTC")
    assert "Leeds 30.0 3.33 2.00" in page, "probability and fair price from the grid, and the best price"
    assert "Draw 50.0 2.00 3.50" in page
    assert "goals of Leeds down, of Arsenal across" in page
    assert "over 2.5 goals" in page
    assert "home_elo 1512" in page
    assert "away_elo unknown" in page
    assert "01 Nov, 12:00 the champion, version 1 40.0 30.0 30.0" in page, "what was said the day before"
    assert "Features, as known at 02 Nov 2022, 12:00 UTC" in page


def test_a_played_match_shows_its_score_and_a_match_without_a_forecast_says_so(api: TestClient, world: World):
    played = words(api.get(f"/matches/{world.played}").text)
    assert "result 2&ndash;2 log loss 1.204" in played
    assert "by ratings alone" not in played
    matches = api.get("/v1/matches", params={"status": "scheduled"}).json()["matches"]
    (unpredicted,) = [each["match_id"] for each in matches if each["home_team"] == "Burnley"]
    page = words(api.get(f"/matches/{unpredicted}").text)
    assert "No forecast The champion has not predicted this match." in page
    assert f"touchline why {unpredicted}" in page
    assert re.search(r"Form Burnley \d\d \w+ (v|at) \w+ \d&ndash;\d (win|draw|loss)", page)


def test_a_match_shows_how_forecast_and_market_moved(api: TestClient, world: World):
    html = api.get(f"/matches/{world.priced}").text
    said = re.findall(r"<title>home ([\d.]+) % the champion, (.+?)</title>", html)
    assert said == [("40.0", "01 Nov, 12:00 UTC"), ("50.0", "02 Nov, 12:00 UTC")], "not what is said later"
    (point,) = api.get(f"/v1/matches/{world.priced}/price-history").json()["prices"]
    (seen,) = re.findall(r"<title>home ([\d.]+) % the market, (.+?)</title>", html)
    assert seen == (f"{100 * point['probabilities']['home']:.1f}", "01 Nov, 15:00 UTC"), "by the timetable"
    assert "Its prices were seen once" in html
    assert re.search(r"01 Nov, 15:00 the market, \d+ bookmakers", words(html))
    without = api.get(f"/matches/{world.unpriced}").text
    assert "No price of this match result is known" in without


def test_a_played_match_shows_where_the_market_closed(api: TestClient, world: World):
    points = api.get(f"/v1/matches/{world.played}/price-history").json()["prices"]
    match = api.get(f"/v1/matches/{world.played}").json()
    assert [point["stage"] for point in points] == ["prematch", "closing"]
    assert points[-1]["seen_at"] == match["kickoff_at"]
    for point in points:
        (market,) = (
            quote
            for quote in match["quotes"]
            if (quote["bookmaker"], quote["market"], quote["stage"]) == ("consensus", "1x2", point["stage"])
        )
        assert point["prices"] == pytest.approx({side: market[f"price_{side}"] for side in SIDES}, abs=1e-6)
        assert sum(point["probabilities"].values()) == pytest.approx(1)
    assert "the close" in words(api.get(f"/matches/{world.played}").text)


def test_prices_move_when_they_were_seen_to_and_never_after_the_present(
    own_world: World, serve: Callable[..., TestClient]
):
    def quote(hours: float, bookmaker: str, home: float | None) -> None:
        at = NOW - timedelta(hours=hours)
        prices = (None, None, None) if home is None else (home, 3.4, 4.0)
        connection.execute(
            "insert into landing.odds_observation (fixture_key, source, bookmaker, market, is_closing, price_home, "
            "price_draw, price_away, payload_id, row_number, quoted_at, observed_at, known_at) "
            "values (%s, 'the_odds_api', %s, '1x2', false, %s, %s, %s, 1, 1, %s, %s, %s)",
            (own_world.unpriced, bookmaker, *prices, at, at, at),
        )

    with connect(own_world.settings, "ingest") as connection:
        quote(6, "betway", 2.0)
        quote(5, "skybet", 2.2)
        quote(4, "betway", 2.1)
        quote(3, "skybet", None)
        quote(-1, "betway", 1.5)
    path = f"/v1/matches/{own_world.unpriced}/price-history"
    points = serve(own_world.settings).get(path).json()["prices"]
    assert [(point["prices"]["home"], point["n_bookmakers"]) for point in points] == [
        (2.0, 1),
        (pytest.approx(2.1, abs=1e-6), 2),
        (pytest.approx(2.15, abs=1e-6), 2),
        (2.1, 1),
    ]
    assert [point["best_prices"]["home"] for point in points] == [2.0, 2.2, 2.2, 2.1]
    assert len(serve(own_world.settings, NOW + timedelta(hours=2)).get(path).json()["prices"]) == 5


def test_many_changes_of_prices_are_drawn_as_sixty(own_world: World, serve: Callable[..., TestClient]):
    with connect(own_world.settings, "ingest") as connection:
        connection.execute(
            "insert into landing.odds_observation (fixture_key, source, bookmaker, market, is_closing, price_home, "
            "price_draw, price_away, payload_id, row_number, quoted_at, observed_at, known_at) "
            "select %s, 'the_odds_api', 'betway', '1x2', false, 2 + n / 1000.0, 3.4, 4.0, 1, 1, at, at, at "
            "from generate_series(1, 600) as n "
            "cross join lateral (select %s::timestamptz - n * interval '1 minute' as at) as times",
            (own_world.unpriced, NOW),
        )
    path = f"/v1/matches/{own_world.unpriced}/price-history"
    points = serve(own_world.settings).get(path).json()["prices"]
    assert len(points) == 60
    assert points[-1]["prices"]["home"] == pytest.approx(2.001, abs=1e-6), "the last change is among them"


def test_a_match_shows_where_its_forecast_came_from(api: TestClient, world: World):
    html = api.get(f"/matches/{world.priced}").text
    lineage = api.get(f"/v1/predictions/{world.ids['new']}/lineage").json()
    assert lineage["payloads"]
    for payload in lineage["payloads"]:
        assert f"payload {payload['payload_id']}" in html or f">{payload['payload_id']}: " in html
        assert payload["content_hash"] in html, "in the picture, for the pointer"
    assert f"version {lineage['prediction']['model_version']}, with_odds" in html
    assert "50% / 30% / 20%" in html


@pytest.mark.parametrize("name", ["new", "old", "unpriced", "settled", "elo"])
def test_the_lineage_is_that_of_the_command(api: TestClient, world: World, name: str):
    told = api.get(f"/v1/predictions/{world.ids[name]}/lineage")
    report = trace(world.settings, world.ids[name])
    assert told.json() == Lineage.model_validate(vars(report)).model_dump(mode="json")
    assert told.json()["home_matches"]
    assert (told.json()["outcome"] is not None) is (name == "settled")
    same = api.get(told.url.path, headers={"If-None-Match": told.headers["etag"]})
    assert same.status_code == 304


def test_a_lineage_of_nothing_is_a_problem(api: TestClient):
    for each, status in ((uuid4(), 404), ("x", 422), (f"{uuid4()}/lineage/x", 404)):
        reply = api.get(f"/v1/predictions/{each}/lineage")
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


def test_before_the_migration_that_lets_facts_be_read_one_is_told_to_migrate(
    own_world: World, serve: Callable[..., TestClient]
):
    with connect(own_world.settings, "owner") as connection:
        connection.execute("revoke select on landing.odds_observation from touchline_api")
    reply = serve(own_world.settings).get(f"/matches/{own_world.priced}")
    assert (reply.status_code, reply.json()["title"]) == (503, "Service Unavailable")
    assert "touchline database start" in reply.json()["detail"]


def test_a_chart_of_nothing_is_none():
    assert movement([], [], NOW) is None


def test_a_competition_shows_its_table_and_what_is_ahead(api: TestClient, world: World):
    reply = api.get("/competitions/E0")
    page = words(reply.text)
    table = api.get("/v1/competitions/E0/table").json()["standings"]
    assert f"1. {table[0]['team']} {table[0]['n_played']}" in page
    assert "Leeds v Arsenal" in page
    assert f'href="/matches/{world.priced}"' in reply.text
    assert api.get("/competitions/ZZ").status_code == 404


def test_the_models_page_shows_versions_and_whether_they_are_honest(api: TestClient):
    page = api.get("/models").text
    assert "with_odds champion 1 5 1" in words(page)
    assert page.count("<circle") == 3, "one settled prediction, three outcomes"
    assert "home 50.0 0.0 1" in words(page)


@pytest.mark.parametrize(
    "path",
    ["/", "/track-record", "/models", "/data", "/competitions/E0", "/matches/{match}", "/teams/{team}"],
)
def test_every_page_can_be_read_by_keyboard_and_offline(api: TestClient, world: World, path: str):
    team = api.get(f"/v1/matches/{world.priced}").json()["home_team_id"]
    html = api.get(path.format(match=world.priced, team=team)).text
    assert '<html lang="en"' in html
    assert 'href="#main"' in html
    assert 'id="main"' in html
    assert re.findall(r"<h1\b", html) == ["<h1"]
    assert not re.search(r'(src|href)="https?://(?!127\.0\.0\.1)', html)
    assert "<script" not in html
    for address in set(re.findall(r'href="(/[^"]*)"', html)):
        assert api.get(address.replace("&amp;", "&")).status_code == 200, address


def test_pages_of_simulated_football_say_so(serve: Callable[..., TestClient], world: World):
    sandbox = serve(world.settings.model_copy(update={"source": "sandbox"}))
    for path in ("/track-record", "/models", "/data", "/competitions/E0", f"/matches/{world.priced}"):
        assert "SIMULATED DATA" in sandbox.get(path).text


def test_what_is_not_there_is_a_problem_document(api: TestClient):
    for path, status in ((f"/matches/{uuid4()}", 404), ("/matches/x", 422), ("/models?page=2", 422)):
        reply = api.get(path)
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")


def test_the_best_price_is_the_highest_before_kick_off_that_a_bookmaker_offers(api: TestClient, world: World):
    match = Match.model_validate_json(api.get(f"/v1/matches/{world.priced}").content)
    assert best_prices(match.quotes)["1x2", 0.0, "home"] == 2.0
    assert best_prices([each for each in match.quotes if each.bookmaker == "consensus"]) == {}


def test_a_heat_map_is_the_grid_beside_its_largest_cell():
    grid = [[0.4, 0.1], [0.2, 0.3]]
    assert heat_map(grid) == [[(0.4, 1.0), (0.1, 0.25)], [(0.2, 0.5), (0.3, pytest.approx(0.75))]]
    assert len(heat_map([[1 / 121] * 11] * 11)) == 7
    assert heat_map([]) == []
