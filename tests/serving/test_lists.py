"""Lists: pages, fields, formats, and replies that the asker has already."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Callable, Iterator

import polars as pl
import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from predictions import insert_prediction, insert_season
from served_world import NOW, World
from touchline.database.engine import connect
from touchline.serving import match_routes, prediction_routes, record_routes
from touchline.serving.app import create_app
from touchline.serving.lists import Listing, Record

pytestmark = pytest.mark.slow

MATCHES = "/v1/matches"
LISTS: dict[str, Listing] = {
    "/v1/predictions/upcoming": prediction_routes.UPCOMING,
    "/v1/predictions": prediction_routes.HISTORY,
    "/v1/predictions/moves": prediction_routes.MOVES,
    "/v1/unpredicted": prediction_routes.UNPREDICTED,
    "/v1/competitions": match_routes.COMPETITIONS,
    "/v1/competitions/E0/table": match_routes.STANDINGS,
    "/v1/competitions/E0/season-ahead": match_routes.SEASON_AHEAD,
    "/v1/teams": match_routes.TEAMS,
    MATCHES: match_routes.MATCHES,
    "/v1/matches/{priced}/odds": match_routes.QUOTES,
    "/v1/matches/{priced}/price-history": match_routes.PRICE_HISTORY,
    "/v1/models": record_routes.MODELS,
    "/v1/track-record": record_routes.TRACK_RECORD,
    "/v1/calibration": record_routes.CALIBRATION,
    "/v1/sources": record_routes.SOURCES,
    "/v1/quality": record_routes.QUALITY,
    "/v1/freshness": record_routes.FRESHNESS,
}
RECORDS: dict[str, Record] = {
    "/v1/predictions/{new}": prediction_routes.PREDICTION,
    "/v1/predictions/{settled}": prediction_routes.PREDICTION,
    "/v1/matches/{priced}": match_routes.MATCH,
    "/v1/matches/{played}": match_routes.MATCH,
    "/v1/matches/{priced}/features": match_routes.FEATURES,
    "/v1/models/touchline_match_result/versions/1/card": record_routes.MODEL_CARD,
}


def address(path: str, world: World) -> str:
    return path.format(**world.ids, priced=world.priced, played=world.played)


def held_against(schema: type[BaseModel], item: dict[str, object]) -> None:
    """The schema lets it through, and knows each of its fields."""
    told = schema.model_validate_json(json.dumps(item)).model_dump(mode="json")
    assert told.keys() == item.keys()
    for name, value in told.items():
        if isinstance(value, float):
            assert item[name] == pytest.approx(value, abs=1e-4)
        elif isinstance(value, dict):
            assert value.keys() == dict(item[name]).keys(), name  # type: ignore[call-overload]
        elif not isinstance(value, list):
            assert item[name] == value, name


def pages(api: TestClient, path: str, limit: int) -> Iterator[list[dict[str, object]]]:
    reply = api.get(path, params={"limit": limit})
    while True:
        told = reply.json()
        assert reply.status_code == 200, told
        (name,) = told.keys() - {"as_of", "is_simulated", "next"}
        yield told[name]
        if told["next"] is None:
            assert "link" not in reply.headers
            return
        following = reply.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
        assert api.get(path, params={"limit": limit, "cursor": told["next"]}).json()[name]
        reply = api.get(following)


@pytest.mark.parametrize("path", LISTS)
def test_every_list_keeps_to_its_schema_and_comes_in_pages(api: TestClient, world: World, path: str):
    listing = LISTS[path]
    whole = api.get(address(path, world)).json()
    items = whole[listing.name]
    assert items or path in ("/v1/sources", "/v1/quality", "/v1/competitions/E0/season-ahead")
    for item in items:
        held_against(listing.schema, item)
    assert (whole["as_of"], whole["is_simulated"]) == ("2022-11-02T12:00:00Z", False)
    for limit in (1, 3):
        assert [item for page in pages(api, address(path, world), limit) for item in page] == items


def test_how_a_season_may_end_is_told_with_what_came_of_it(
    own_world: World, serve: Callable[..., TestClient]
):
    with connect(own_world.settings, "model") as connection:
        insert_season(connection)
    api = serve(own_world.settings)
    (team,) = api.get("/v1/competitions/E0/season-ahead").json()["teams"]
    held_against(match_routes.SEASON_AHEAD.schema, team)
    assert (team["team"], team["p_title"], team["p_relegation"], team["final_place"]) == (
        "Arsenal",
        0.5,
        None,
        1,
    )
    assert api.get("/v1/competitions/E0/season-ahead", params={"season": "2021/22"}).json()["teams"] == []
    page = " ".join(re.sub(r"<[^>]+>", " ", api.get("/competitions/E0").text).split())
    assert "How the season may end 2022/23" in page
    assert "team points 90 % within title came Arsenal 2.5 1&ndash;4 50 1" in page


@pytest.mark.parametrize("path", RECORDS)
def test_every_record_keeps_to_its_schema(api: TestClient, world: World, path: str):
    held_against(RECORDS[path].schema, api.get(address(path, world)).json())


@pytest.mark.parametrize("path", [*LISTS, *RECORDS])
def test_a_reply_has_only_the_fields_that_were_asked_for(api: TestClient, world: World, path: str):
    listing = (LISTS | RECORDS)[path]
    names = list(listing.schema.model_fields)[1:3]
    told = api.get(address(path, world), params={"fields": ",".join(names)}).json()
    for item in told[listing.name] if isinstance(listing, Listing) else [told]:
        assert list(item) == names
    refused = api.get(address(path, world), params={"fields": f"{names[0]}x"})
    assert refused.status_code == 422
    assert f"did you mean {names[0]}?" in refused.json()["detail"]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_served_as_csv_and_parquet(api: TestClient, world: World, path: str):
    listing = LISTS[path]
    items = api.get(address(path, world)).json()[listing.name]
    reply = api.get(address(path, world), params={"format": "parquet"})
    assert reply.headers["content-type"] == "application/vnd.apache.parquet"
    frame = pl.read_parquet(io.BytesIO(reply.content))
    reply = api.get(address(path, world), headers={"Accept": "text/csv"})
    assert reply.headers["content-type"].startswith("text/csv")
    assert (len(frame), reply.text.count("\n")) == (len(items), len(items) + 1)
    assert reply.text.splitlines()[0].split(",") == frame.columns


def test_times_and_nested_fields_are_columns_of_their_own(api: TestClient, world: World):
    frame = pl.read_parquet(io.BytesIO(api.get("/v1/predictions/upcoming?format=parquet").content))
    assert frame["probabilities_home"][0] == 0.5
    assert frame["market_probabilities_home"].null_count() == 1
    assert frame["predicted_at"][0] == NOW
    assert api.get("/v1/predictions/upcoming?format=csv&fields=home_team,predicted_at").text == (
        "home_team,predicted_at\nLeeds,2022-11-02T12:00:00Z\nFulham,2022-11-02T12:00:00Z\n"
    )


@pytest.mark.parametrize(
    ("accept", "served"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("application/*", "application/json"),
        ("TEXT/*", "text/csv"),
        ("text/csv;q=nonsense, application/json", "application/json"),
    ],
)
def test_the_format_is_the_one_that_is_liked_best(api: TestClient, accept: str, served: str):
    reply = api.get(MATCHES, headers={"Accept": accept})
    assert reply.headers["content-type"].startswith(served)
    assert "Accept" in reply.headers["vary"]


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "nonsense"])
def test_a_format_that_is_not_served_is_refused_with_those_that_are(api: TestClient, accept: str):
    reply = api.get(MATCHES, headers={"Accept": accept})
    assert (reply.status_code, reply.json()["status"]) == (406, 406)
    assert "text/csv" in reply.json()["detail"]


def test_a_cursor_goes_with_its_list_and_its_filters(api: TestClient):
    cursor = api.get(MATCHES, params={"limit": 1, "competition": "E0"}).json()["next"]
    same = {"limit": 5, "competition": "E0", "cursor": cursor}
    assert len(api.get(MATCHES, params=same).json()["matches"]) == 5, "the size of a page is free"
    for path, filters in (
        (MATCHES, {}),
        (MATCHES, {"competition": "E1"}),
        ("/v1/teams", {"competition": "E0"}),
    ):
        reply = api.get(path, params={**filters, "cursor": cursor})
        assert reply.status_code == 422, (path, filters)
        assert "other filters" in reply.json()["detail"]


@pytest.mark.parametrize(
    "cursor", ["x", "%00", "é", "W10", "eyJhIjoxfQ", base64.urlsafe_b64encode(b"[" * 300).decode(), "a" * 501]
)
def test_what_is_no_cursor_is_refused(api: TestClient, cursor: str):
    reply = api.get(MATCHES, params={"cursor": cursor})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["loc"] == ["query", "cursor"]


def test_a_cursor_with_other_values_is_an_error_of_the_asker(api: TestClient):
    cursor = api.get(MATCHES, params={"limit": 1}).json()["next"]
    fingerprint, *_ = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    for place in (["yesterday", "x"], ["\0", "\0"], ["2022-01-01", "1; drop table core.match"]):
        forged = base64.urlsafe_b64encode(json.dumps([fingerprint, *place]).encode()).decode().rstrip("=")
        assert api.get(MATCHES, params={"cursor": forged}).status_code == 422, place


@pytest.mark.parametrize(
    ("filters", "n"),
    [
        ({"team": "Leeds"}, None),
        ({"status": "scheduled"}, 3),
        ({"season": "2022/23", "competition": "E0", "status": "scheduled"}, 3),
        ({"season": "1999/00"}, 0),
        ({"from": "2022-11-03", "to": "2022-11-04"}, 1),
    ],
)
def test_matches_are_found_by_what_they_are(api: TestClient, filters: dict[str, str], n: int | None):
    found = api.get(MATCHES, params=filters).json()["matches"]
    assert n is None or len(found) == n
    if "team" in filters:
        assert found
        assert all(filters["team"] in (each["home_team"], each["away_team"]) for each in found)
        by_id = {each["name"]: each["team_id"] for each in api.get("/v1/teams").json()["teams"]}
        assert api.get(MATCHES, params={"team": by_id["Leeds"]}).json()["matches"] == found


def test_an_unknown_team_is_refused_with_the_nearest(api: TestClient):
    reply = api.get(MATCHES, params={"team": "Leds"})
    assert (reply.status_code, "did you mean Leeds?" in reply.json()["detail"]) == (422, True)
    assert api.get(MATCHES, params={"team": "\0"}).status_code == 422
    assert api.get("/v1/competitions/ZZ/table").status_code == 404


def test_the_history_of_a_match_is_every_prediction_until_the_present(api: TestClient, world: World):
    found = api.get("/v1/predictions", params={"match_id": world.priced}).json()["predictions"]
    ids = {each["prediction_id"] for each in found}
    assert ids == {world.ids[name] for name in ("old", "new", "elo", "market")}, "not the one of tomorrow"
    assert [each["prediction_id"] for each in found] == sorted(ids, reverse=True)
    narrowed = {"match_id": world.priced, "role": "baseline", "forecast": "elo"}
    (elo,) = api.get("/v1/predictions", params=narrowed).json()["predictions"]
    assert elo["prediction_id"] == world.ids["elo"]


@pytest.mark.parametrize(
    "path", ["/v1/predictions/upcoming", "/v1/predictions/{new}", "/v1/matches/{priced}/markets"]
)
def test_who_has_the_reply_is_told_so(own_world: World, serve: Callable[..., TestClient], path: str):
    with connect(own_world.settings, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of, status, finished_at) "
            "values ('run', 'predict', %s, 'success', now())",
            (NOW,),
        )
    api = serve(own_world.settings)
    told = api.get(address(path, own_world))
    etag, modified = told.headers["etag"], told.headers["last-modified"]
    assert told.headers["cache-control"] == "private, max-age=1"
    for headers in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"x", {etag}'},
        {"If-Modified-Since": modified},
    ):
        again = api.get(address(path, own_world), headers=headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    for headers in (
        {"If-None-Match": '"x"', "If-Modified-Since": modified}, {"If-Modified-Since": "nonsense"},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
    ):  # fmt: skip
        assert api.get(address(path, own_world), headers=headers).status_code == 200
    if "upcoming" in path:
        insert_one(own_world)
        assert api.get(path, headers={"If-None-Match": etag}).status_code == 200


def insert_one(world: World) -> None:
    """A new word of the champion on a fixture."""
    with connect(world.settings, "model") as connection:
        insert_prediction(
            connection, match_id=world.priced, home_team="Leeds", away_team="Arsenal",
            kickoff_at=NOW.replace(hour=15), predicted_at=NOW, features_as_of=NOW, feature_hash="f" * 64,
        )  # fmt: skip


def test_a_large_reply_is_compressed_for_who_can_read_it(api: TestClient, world: World):
    path = address("/v1/predictions/{new}/markets", world)
    plain = api.get(path, headers={"Accept-Encoding": "identity"})
    packed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.json()) == ("gzip", plain.json())
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] == packed.headers["etag"]


def test_a_kept_reply_is_asked_for_again_after_its_second(own_world: World):
    async def present() -> object:
        return NOW

    with TestClient(create_app(own_world.settings, present, kept_seconds=1)) as api:  # type: ignore[arg-type]
        before = api.get("/v1/predictions/upcoming").json()
        insert_one(own_world)
        deadline = time.monotonic() + 10
        while api.get("/v1/predictions/upcoming").json() == before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
