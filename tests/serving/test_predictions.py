"""Predictions, matches and models as the API shows them, from a warehouse built by production code."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from predictions import insert_prediction
from served_world import EARLIER, LATER, NOW, World
from touchline.database.engine import connect
from touchline.ledger.digests import digests_file
from touchline.overround import remove_overround

pytestmark = pytest.mark.slow

UPCOMING = "/v1/predictions/upcoming"


def shown(reply: dict) -> list[str]:
    return [prediction["prediction_id"] for prediction in reply["predictions"]]


def test_upcoming_is_the_latest_champion_prediction_of_each_fixture_soonest_first(
    api: TestClient, world: World
):
    reply = api.get(UPCOMING).json()
    assert shown(reply) == [world.ids["new"], world.ids["unpriced"]]
    assert (reply["next"], reply["as_of"]) == (None, "2022-11-02T12:00:00Z")


def test_a_prediction_made_after_the_present_is_not_shown(serve: Callable[..., TestClient], world: World):
    assert shown(serve(world.settings, EARLIER).get(UPCOMING).json()) == [world.ids["old"]]


def test_every_fixture_without_a_prediction_has_its_reason_until_it_is_predicted(
    own_world: World, serve: Callable[..., TestClient]
):
    api = serve(own_world.settings)
    reply = api.get("/v1/unpredicted").json()
    (fixture,) = reply["fixtures"]
    assert (fixture["home_team"], fixture["away_team"], fixture["reason"]) == (
        "Burnley",
        "Everton",
        "waiting",
    )
    assert "touchline predict" in fixture["what_to_do"]
    assert api.get("/v1/unpredicted", params={"competition": "D1"}).json()["fixtures"] == []
    assert api.get("/v1/unpredicted", params={"competition": "Z9"}).status_code == 422
    with connect(own_world.settings, "model") as connection:
        insert_prediction(
            connection, match_id=fixture["match_id"], home_team="Burnley", away_team="Everton",
            kickoff_at=fixture["kickoff_at"], predicted_at=LATER, features_as_of=NOW,
        )  # fmt: skip
    assert len(api.get("/v1/unpredicted").json()["fixtures"]) == 1, "it is predicted later than the present"
    assert serve(own_world.settings, LATER).get("/v1/unpredicted").json()["fixtures"] == []


def test_digests_of_the_ledger_are_the_lines_of_the_file_that_is_handed_out(api: TestClient, world: World):
    reply = api.get("/v1/ledger/digests")
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    assert reply.text == digests_file(world.settings).read_text()
    (digest,) = map(json.loads, reply.text.splitlines())
    assert digest["position"] == len(world.ids) + 1, "predictions, and one outcome"
    for after, expected in ((digest["position"] - 1, reply.text), (digest["position"], "")):
        assert api.get("/v1/ledger/digests", params={"after": after}).text == expected
    assert api.get("/v1/ledger/digests", params={"after": -1}).status_code == 422


def test_probabilities_and_prices_stand_beside_the_market(api: TestClient):
    priced, unpriced = api.get(UPCOMING).json()["predictions"]
    assert priced["probabilities"] == {"home": 0.5, "draw": 0.3, "away": 0.2}
    assert priced["fair_prices"] == {"home": 2.0, "draw": 3.3333, "away": 5.0}
    assert priced["best_prices"] == {"home": 2.0, "draw": 3.5, "away": 4.0}
    market = priced["market_probabilities"]
    expected = remove_overround([[1.98, 3.45, 3.95]])[0]
    assert [market[side] for side in ("home", "draw", "away")] == pytest.approx(expected, abs=1e-6)
    assert unpriced["market_probabilities"] is None
    assert unpriced["best_prices"] == {"home": None, "draw": None, "away": None}
    assert [priced["rests_on"], unpriced["rests_on"]] == ["prices", "ratings"]


def test_a_prediction_from_prices_is_stale_when_its_source_has_stopped_answering(
    own_world: World, serve: Callable[..., TestClient]
):
    def collect(hours: int, *, is_answered: bool) -> None:
        with connect(own_world.settings, "ingest") as connection:
            connection.execute(
                "insert into ops.pipeline_run (run_id, step, as_of, status, detail) values (%s, %s, %s, %s, "
                '\'{"requests": 1, "new_payloads": 0, "seen_again": 1, "not_offered": 0}\')',
                (
                    f"at {hours}", "collect_odds/the_odds_api", NOW - timedelta(hours=12 - hours),
                    "success" if is_answered else "failed",
                ),
            )  # fmt: skip

    def found() -> list[tuple[str | None, bool]]:
        told = api.get(UPCOMING).json()["predictions"]
        return [(each["prices_as_of"], each["is_stale"]) for each in told]

    api = serve(own_world.settings)
    assert found() == [(None, False)] * 2, "nobody has asked"
    collect(0, is_answered=True)
    collect(1, is_answered=False)
    at_first = (NOW - timedelta(hours=12)).isoformat().replace("+00:00", "Z")
    assert found() == [(at_first, False)] * 2
    collect(2, is_answered=False)
    assert found() == [(at_first, True), (at_first, False)], "the second rests on ratings"
    assert f"prices of {NOW - timedelta(hours=12):%d %b, %H:%M}" in api.get("/").text
    collect(3, is_answered=True)
    assert [is_stale for _, is_stale in found()] == [False, False]


def test_baselines_have_a_prediction_for_each_forecast(api: TestClient, world: World):
    reply = api.get(UPCOMING, params={"role": "baseline"}).json()
    assert shown(reply) == [world.ids["elo"], world.ids["market"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"from": "2022-11-03"}, ["unpriced"]),
        ({"to": "2022-11-03"}, ["new"]),
        ({"from": "2022-11-02T15:00Z", "to": "2022-11-02T15:00Z"}, ["new"]),
        ({"from": "2022-11-02T15:01Z", "to": "2022-11-03T19:59Z"}, []),
        ({"competition": "E0"}, ["new", "unpriced"]),
        ({"competition": "D1"}, []),
        ({"role": "challenger"}, []),
    ],
)
def test_filters_narrow_the_page(api: TestClient, world: World, filters: dict[str, str], expected: list[str]):
    reply = api.get(UPCOMING, params=filters).json()
    assert shown(reply) == [world.ids[name] for name in expected]


@pytest.mark.parametrize(
    ("filters", "hint"),
    [
        ({"competition": "ZZ"}, "E0, E1"),
        ({"competition": "E0'; drop table"}, "query.competition"),
        ({"from": "10/03/2023"}, "2023-03-10T18:00Z"),
        ({"to": "0001-01-01T00:00+14:00"}, "query.to"),
        ({"role": "oracle"}, "champion"),
        ({"limit": 0}, "query.limit"),
        ({"limit": 501}, "query.limit"),
        ({"limit": "\0"}, "query.limit"),
    ],
)
def test_a_wrong_filter_is_refused_with_what_would_be_right(
    api: TestClient, filters: dict[str, str | int], hint: str
):
    reply = api.get(UPCOMING, params=filters)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert hint in reply.json()["detail"]


def test_a_prediction_shows_what_it_was_made_from(api: TestClient, world: World):
    reply = api.get(f"/v1/predictions/{world.ids['new']}").json()
    prices = {f"market_price_{side}": 2.5 for side in ("home", "draw", "away")}
    assert reply["features"] == {"away_elo": None, "home_elo": 1512.5} | prices
    assert reply["rests_on"] == "prices"
    assert reply["scoreline_grid"] == [[0.5, 0.2], [0.3, 0.0]]
    assert (reply["features_as_of"], reply["clock"]) == ("2022-11-02T12:00:00Z", "virtual")
    assert (reply["match_id"], reply["outcome"]) == (world.priced, None)


def test_a_settled_prediction_shows_what_came_of_it(api: TestClient, world: World):
    outcome = api.get(f"/v1/predictions/{world.ids['settled']}").json()["outcome"]
    # The 15th match of the round robin: 14 % 4 to 98 % 3.
    assert (outcome["home_goals"], outcome["away_goals"], outcome["outcome"]) == (2, 2, "draw")
    assert outcome["log_loss"] == pytest.approx(1.2039728)
    assert (outcome["is_correct"], outcome["revision"]) == (False, 1)
    assert sum(outcome["closing_probabilities"].values()) == pytest.approx(1)


def test_a_match_shows_its_prices_and_every_prediction(api: TestClient, world: World):
    reply = api.get(f"/v1/matches/{world.priced}").json()
    assert (reply["home_team"], reply["status"], reply["result"]) == ("Leeds", "scheduled", None)
    assert (reply["competition_name"], reply["stage"]) == ("Premier League", "league")
    quotes = {(quote["bookmaker"], quote["market"], quote["stage"]): quote for quote in reply["quotes"]}
    assert quotes["B365", "1x2", "prematch"]["price_home"] == 2.0
    assert quotes["market_average", "1x2", "prematch"]["price_away"] == 3.95
    assert ("consensus", "1x2", "prematch") in quotes
    names = ("of_tomorrow", "elo", "market", "new", "old")
    assert shown(reply) == [world.ids[name] for name in names]


def test_a_played_match_shows_its_result(api: TestClient, world: World):
    result = api.get(f"/v1/matches/{world.played}").json()["result"]
    assert (result["home_goals"], result["away_goals"], result["outcome"]) == (2, 2, "draw")
    assert result["known_at"] < "2022-11-01"


def test_models_show_their_track_record(api: TestClient):
    models = {model["forecast"]: model for model in api.get("/v1/models").json()["models"]}
    champion = models["with_odds"]
    assert (champion["role"], champion["n_predictions"], champion["n_settled"]) == ("champion", 5, 1)
    assert champion["log_loss"] == pytest.approx(1.2039728)
    assert champion["log_loss_behind_closing"] is not None
    assert (models["elo"]["n_settled"], models["elo"]["log_loss"]) == (0, None)


@pytest.mark.parametrize("kind", ["predictions", "matches"])
def test_an_unknown_id_is_not_found(api: TestClient, kind: str):
    unknown = uuid4()
    reply = api.get(f"/v1/{kind}/{unknown}")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert str(unknown) in reply.json()["detail"]


@pytest.mark.parametrize("kind", ["predictions", "matches"])
def test_a_malformed_id_is_refused(api: TestClient, kind: str):
    reply = api.get(f"/v1/{kind}/not-an-id")
    assert (reply.status_code, reply.json()["status"]) == (422, 422)
    assert reply.json()["errors"][0]["loc"][0] == "path"


def test_every_reply_says_whether_its_football_is_simulated(serve: Callable[..., TestClient], world: World):
    paths = (UPCOMING, "/v1/models", f"/v1/predictions/{world.ids['new']}", f"/v1/matches/{world.priced}")
    real = serve(world.settings)
    assert [real.get(path).json()["is_simulated"] for path in paths] == [False] * 4
    sandbox = world.settings.model_copy(update={"source": "sandbox"})
    assert [serve(sandbox).get(path).json()["is_simulated"] for path in paths[:2]] == [True] * 2


def test_a_fixture_already_under_way_is_not_upcoming(serve: Callable[..., TestClient], world: World):
    at_kickoff = NOW.replace(hour=15)
    assert shown(serve(world.settings, at_kickoff).get(UPCOMING).json()) == [world.ids["unpriced"]]
