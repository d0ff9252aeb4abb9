"""The pages behind the board: a match, a competition, the models."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from page_text import words
from served_world import World
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
    assert page.count("01 Nov, 12:00") == 1, "what was said the day before"
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
