"""Markets of stored predictions: over HTTP and by the command, which must agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from served_world import EARLIER, NOW, World
from touchline import cli
from touchline.errors import PredictionUnknown

pytestmark = pytest.mark.slow


@pytest.fixture
def markets(api: TestClient, world: World) -> dict[str, Any]:
    """Of a prediction of 0.5, 0.3, 0.2 with a whole scoreline grid."""
    return api.get(f"/v1/predictions/{world.ids['unpriced']}/markets").json()


def at(lines: list[dict[str, Any]], line: float) -> dict[str, Any]:
    return next(each for each in lines if each["line"] == line)


def test_markets_agree_with_the_prediction_and_each_other(markets: dict[str, Any]):
    assert markets["match_result"]["home"] == {"probability": 0.5, "fair_price": 2.0}
    assert markets["double_chance"]["draw_or_away"] == {"probability": 0.5, "fair_price": 2.0}
    assert markets["draw_no_bet"]["home"]["probability"] == pytest.approx(5 / 7, abs=1e-6)
    level, half = at(markets["handicap"], 0), at(markets["handicap"], -0.5)
    assert level["home"]["fair_price"] == markets["draw_no_bet"]["home"]["fair_price"] == 1.4
    assert half["home"]["won"] == 0.5
    assert (half["away"]["fair_price"], half["away"]["won"]) == (2.0, 0.5)
    assert sum(each["probability"] for each in markets["both_to_score"].values()) == pytest.approx(1)


def test_quarter_lines_settle_by_halves_and_whole_lines_return_the_stake(markets: dict[str, Any]):
    quarter = at(markets["handicap"], -0.25)["home"]
    assert (quarter["won"], quarter["half_lost"], quarter["lost"]) == pytest.approx((0.5, 0.3, 0.2), abs=1e-6)
    total = at(markets["total_goals"], 2)
    assert total["over"]["stake_back"] == total["under"]["stake_back"] > 0
    assert total["over"]["won"] == total["under"]["lost"]


def test_scorelines_come_with_the_most_probable_first(markets: dict[str, Any]):
    p = [each["probability"] for each in markets["scorelines"]]
    assert p == sorted(p, reverse=True)
    assert (markets["scorelines"][0]["home_goals"], markets["scorelines"][0]["away_goals"]) == (1, 0)


def test_what_cannot_happen_has_no_price(api: TestClient, world: World):
    """A grid of at most one goal a side."""
    found = api.get(f"/v1/predictions/{world.ids['new']}/markets").json()
    assert at(found["total_goals"], 3.5)["over"] == {
        "won": 0.0, "half_won": 0.0, "stake_back": 0.0, "half_lost": 0.0, "lost": 1.0, "fair_price": None,
    }  # fmt: skip


def test_a_match_has_the_markets_of_its_last_champion_prediction(
    serve: Callable[..., TestClient], world: World
):
    path = f"/v1/matches/{world.priced}/markets"
    found = {moment: serve(world.settings, moment).get(path).json() for moment in (EARLIER, NOW)}
    assert {moment: reply["prediction_id"] for moment, reply in found.items()} == {
        EARLIER: world.ids["old"],
        NOW: world.ids["new"],
    }


@pytest.mark.parametrize("kind", ["predictions", "matches"])
def test_markets_of_what_nobody_predicted_are_not_found(api: TestClient, kind: str):
    unknown = uuid4()
    reply = api.get(f"/v1/{kind}/{unknown}/markets")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    assert str(unknown) in reply.json()["detail"]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command on the served world, as of now."""
    for name, value in {**world.settings.environment(), "TOUCHLINE_AS_OF": NOW.isoformat()}.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(cli.app, list(arguments))


def test_the_command_says_what_the_api_replies(
    run: Callable[..., Any], markets: dict[str, Any], world: World
):
    for subject in (world.unpriced, world.ids["unpriced"]):
        result = run("--json", "markets", subject)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout) == markets


def test_the_command_shows_tables_to_people(run: Callable[..., Any], world: World):
    output = run("markets", world.unpriced).output
    assert "Fulham v Chelsea" in output
    assert [name in output for name in ("home win", "both score", "Asian handicap", "-0.25")] == [True] * 4


def test_the_command_names_what_nobody_predicted(run: Callable[..., Any]):
    unknown = str(uuid4())
    result = run("markets", unknown)
    assert isinstance(result.exception, PredictionUnknown)
    assert unknown in str(result.exception)
