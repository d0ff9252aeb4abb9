"""The page of a team."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from page_text import words
from predictions import insert_season
from served_world import World
from touchline.database.engine import connect

pytestmark = pytest.mark.slow


def id_of(api: TestClient, name: str) -> str:
    teams = {each["name"]: each["team_id"] for each in api.get("/v1/teams").json()["teams"]}
    return teams[name]


def test_a_team_shows_its_rating_its_form_and_what_is_ahead(api: TestClient, world: World):
    leeds = id_of(api, "Leeds")
    html = api.get(f"/teams/{leeds}").text
    page = words(html)
    rated = next(each for each in api.get("/v1/teams").json()["teams"] if each["name"] == "Leeds")
    assert f"Elo rating {rated['elo']:.0f} points; 1500 is the average team" in page
    assert "Elo rating of Leeds over time, points; the table below has the numbers" in html
    n_played = len(api.get("/v1/matches", params={"team": leeds, "status": "played"}).json()["matches"])
    assert html.count("<circle") == n_played, "a point for each rated match"
    assert "02 Nov, 15:00 v Arsenal 50 30 20" in page
    assert f'href="/teams/{id_of(api, "Arsenal")}"' in html
    assert re.search(r"Form match score result said \d\d \w+ (v|at) \w+ \d&ndash;\d (win|draw|loss)", page)


def test_a_team_shows_how_well_it_was_forecast(api: TestClient):
    page = words(api.get(f"/teams/{id_of(api, 'Everton')}").text)
    assert re.search(r"E0 2022/23 1 0\.\d{4} 1\.2040 .* 1\.8 1 The champion", page), (
        "0.5 * 3 + 0.3 points; a draw"
    )
    assert re.search(r"v Burnley 2&ndash;2 draw 30 %", page)
    assert "05 Nov, 15:00 at Burnley not predicted yet" in page
    assert "No forecast of a match of this team is settled yet" in words(
        api.get(f"/teams/{id_of(api, 'Leeds')}").text
    )


def test_a_team_shows_how_its_season_may_end(
    own_world: World, serve: Callable[..., TestClient], api: TestClient
):
    arsenal = id_of(api, "Arsenal")
    with connect(own_world.settings, "model") as connection:
        insert_season(connection, team_id=arsenal)
    page = words(serve(own_world.settings).get(f"/teams/{arsenal}").text)
    assert "How its season may end 2022/23 points at the end 2.5" in page
    assert "1&ndash;4 points title 50 %" in page
    assert "How its season may end" not in words(api.get(f"/teams/{arsenal}").text)


def test_match_competition_and_team_lead_to_each_other(api: TestClient, world: World):
    leeds = f"/teams/{id_of(api, 'Leeds')}"
    assert f'href="{leeds}"' in api.get(f"/matches/{world.priced}").text
    assert f'href="{leeds}"' in api.get("/competitions/E0").text
    html = api.get(leeds).text
    assert f'href="/matches/{world.priced}"' in html
    assert 'href="/competitions/E0"' in html


@pytest.mark.parametrize(("team", "status"), [(str(UUID(int=0)), 404), ("x", 422), ("%00", 422)])
def test_an_unknown_team_is_a_problem_that_says_where_to_look(api: TestClient, team: str, status: int):
    reply = api.get(f"/teams/{team}")
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    assert status == 422 or "/v1/teams lists them" in reply.json()["detail"]
