"""The board: what a person sees."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from predictions import insert_prediction, unchecked
from served_world import NOW, World
from touchline.database.engine import connect
from touchline.serving.reading import since

pytestmark = pytest.mark.slow

Serve = Callable[..., TestClient]
BANNER = "SIMULATED DATA"


def test_the_board_shows_fixtures_with_their_probabilities(api: TestClient, world: World):
    page = api.get("/").text
    assert "Leeds" in page
    assert "Wednesday, 02 November 2022" in page
    assert 'aria-label="home 50 %, draw 30 %, away 20 %"' in page
    assert f'href="/matches/{world.priced}"' in page
    assert page.count('class="bar market"') == 1, "one of the two fixtures has prices"
    assert page.count("ratings only") == 1, "the forecast of the other has none"


def test_the_board_shows_the_champion_and_its_track_record_against_the_market(api: TestClient):
    text = re.sub(r"<[^>]+>|\s+", " ", api.get("/").text)
    assert re.search(r"version 1\s+touchline_match_result, with_odds", text)
    assert re.search(r"with_odds +champion +1 +0\.\d{4} +1\.2040 +\+0\.0000 +1 +[+-]0\.\d{4} +1", text)
    assert re.search(r"Everton v Burnley +2&ndash;2 +30 %", text)


def test_the_board_says_why_a_fixture_has_no_prediction(api: TestClient):
    text = re.sub(r"<[^>]+>|\s+", " ", api.get("/").text)
    assert re.search(r"Without a prediction +05 Nov, 15:00 +E0 +Burnley +v +Everton +waiting", text)
    assert "Burnley" not in api.get("/", params={"competition": "D1"}).text.partition("Track record")[0]


def test_what_is_missing_stands_at_the_top_of_the_board(api: TestClient):
    reply = api.get("/")
    assert reply.status_code == 200
    top = " ".join(re.sub(r"<[^>]+>", " ", reply.text.partition('<div class="tiles">')[0]).split())
    assert "Degraded 1 fixture ahead without a prediction (waiting), the next at 2022-11-05 15:00 UTC." in top
    assert "To do: run `touchline build`, then `touchline predict`" in top


def test_the_board_of_one_competition_shows_only_that(api: TestClient):
    assert "Leeds" in api.get("/", params={"competition": "E0"}).text
    other = api.get("/", params={"competition": "D1"}).text
    assert 'class="match"' not in other
    assert "No prediction of a match ahead in D1" in other


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"team": "Leeds"}, {"Leeds"}),
        ({"team": "Chelsea", "competition": "E0"}, {"Fulham"}),
        ({"from": "2022-11-02", "to": "2022-11-02"}, {"Leeds"}),
        ({"from": "2022-11-03"}, {"Fulham"}),
        ({"from": "2022-11-04", "to": "2022-11-01"}, set()),
        ({"competition": "", "team": "", "from": "", "to": ""}, {"Leeds", "Fulham"}),
    ],
)
def test_the_board_shows_what_is_asked_for_and_keeps_it_in_its_form(
    api: TestClient, asked: dict[str, str], shown: set[str]
):
    page = api.get("/", params=asked).text
    assert (
        set(re.findall(r"</span>(\w+) <span class=.soft.>v<", page.partition("Without a prediction")[0]))
        == shown
    )
    form = page[page.index("<form") : page.index("</form>")]
    assert 'method="get"' in form
    for name, value in asked.items():
        if name in ("from", "to"):
            assert f'name="{name}" value="{value}"' in form
        elif value:
            assert re.search(rf"selected>(Premier League|{value})", form)
    assert ("Show all" in page) is any(asked.values())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"from": "10/03/2023"}, "query.from: write 2023-03-10"),
        ({"to": "9999-12-31"}, "query.to: write 2023-03-10"),
        ({"team": "Leds"}, "did you mean Leeds?"),
        ({"competition": "'; drop"}, "query.competition"),
        ({"day": "2022-11-02"}, "there is no such parameter"),
    ],
)
def test_what_cannot_be_asked_of_the_board_is_a_problem(api: TestClient, asked: dict[str, str], told: str):
    reply = api.get("/", params=asked)
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    assert told in reply.json()["detail"]


def test_the_board_tells_what_moved_since_yesterday(api: TestClient, world: World, serve: Serve):
    text = " ".join(re.sub(r"<[^>]+>", " ", api.get("/").text).split())
    assert "Arsenal home +10" in text, "0.4 a day before, 0.5 now"
    assert "Leeds v Arsenal +10 to 50 0 to 30 -10 to 20" in text
    assert len(re.findall("points since yesterday", api.get("/").text)) == 1, (
        "of Fulham nothing was said then"
    )
    # A minute sooner, what was said yesterday was not yet said a day before.
    sooner = serve(world.settings, NOW - timedelta(minutes=1)).get("/").text
    assert "points since yesterday" not in sooner
    assert "No probability is half a point" in sooner


def test_moves_are_those_of_the_champion_as_of_the_present(api: TestClient, world: World):
    (move,) = api.get("/v1/predictions/moves").json()["moves"]
    assert (move["prediction_id"], move["before_id"]) == (world.ids["new"], world.ids["old"])
    assert move["moves"] == pytest.approx({"home": 0.1, "draw": 0.0, "away": -0.1})
    assert move["moved_by"] == pytest.approx(0.1)
    assert api.get("/v1/predictions/moves", params={"team": "Fulham"}).json()["moves"] == []


def test_the_banner_stands_over_simulated_data_only(world: World, serve: Serve):
    assert BANNER not in serve(world.settings).get("/").text
    sandbox = world.settings.model_copy(update={"source": "sandbox"})
    assert BANNER in serve(sandbox).get("/").text


def test_the_board_links_to_the_services_and_loads_nothing_from_elsewhere(world: World, serve: Serve):
    elsewhere = world.settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:5000"})
    reply = serve(elsewhere).get("/")
    assert 'href="/docs"' in reply.text
    assert 'href="http://127.0.0.1:8080"' in reply.text
    assert 'href="http://127.0.0.1:5000"' in reply.text
    assert not re.search(r"<script|<link|<img|@import|url\(", reply.text)
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_teams_are_ranked_within_their_country(own_world: World, serve: Serve):
    with connect(own_world.settings, "transform") as connection:
        connection.execute(
            "update core.team set country = 'Spain' where name in ('Arsenal', 'Chelsea', 'Leeds')"
        )

    def ranked(**filters: str) -> list[tuple[str, int]]:
        page = serve(own_world.settings).get("/", params=filters).text
        found = re.findall(
            r"<td>(\w+) <span class=.soft small.>(\w+)</span></td><td>(\d+)</td>",
            page.partition("Strongest teams")[2],
        )
        return [(country, int(elo)) for _, country, elo in found]

    everywhere = ranked()
    assert [country for country, _ in everywhere] == ["England"] * 3 + ["Spain"] * 3
    assert everywhere == sorted(everywhere, key=lambda team: (team[0], -team[1]))
    assert ranked(competition="E0") == everywhere[:3]


def test_names_from_the_source_cannot_become_markup(own_world: World, serve: Serve):
    with unchecked(own_world.settings) as connection:
        insert_prediction(
            connection, match_id=own_world.unpriced, kickoff_at=NOW + timedelta(days=1), predicted_at=NOW,
            features_as_of=NOW, model_version="2", home_team="<script>alert(1)</script>",
        )  # fmt: skip
    page = serve(own_world.settings).get("/").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_an_empty_board_says_what_to_do(world: World, serve: Serve):
    page = serve(world.settings, NOW + timedelta(days=300)).get("/").text
    assert "No prediction of a match ahead" in page
    assert "make run" in page
    assert "No team has played in the last 120 days" in page


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=9), "9 days ago"),
        (-timedelta(days=13), "13 days ahead"),
    ],
)
def test_ages_are_told_in_words(age: timedelta, words: str):
    assert since(NOW - age, NOW) == words
    assert since(None, NOW) == "never"
