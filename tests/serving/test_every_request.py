"""What holds for every request: HEAD, parameters that no route has, invented methods, headers for browsers."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from served_world import World
from touchline.serving.database import Reader

pytestmark = pytest.mark.slow

UPCOMING = "/v1/predictions/upcoming"
PAGES = ["/", "/track-record", "/models", "/data", "/teams/{team_id}", "/docs", "/redoc"]


@pytest.fixture
def paths(api: TestClient, world: World) -> list[str]:
    """One path of every route that answers GET."""
    documented = api.get("/openapi.json").json()["paths"]
    ids = {
        "prediction_id": world.ids["new"], "match_id": world.priced, "code": "E0",
        "team_id": api.get(f"/v1/matches/{world.priced}").json()["home_team_id"],
        "model_name": "touchline_match_result", "model_version": "1",
    }  # fmt: skip
    known = [path for path in documented if not path.startswith("/v1/me/")]
    return [
        path.format_map(ids) for path in (*PAGES, "/openapi.json", "/static-offline-docs/favicon.png", *known)
    ]


def test_head_says_what_get_says_without_the_body(api: TestClient, paths: list[str]):
    for path in paths:
        told, asked = api.get(path), api.head(path)
        assert (asked.status_code, asked.content) == (200, b""), path
        assert asked.headers.keys() == told.headers.keys(), path
    assert api.head("/v1/matches/nonsense").status_code == 422
    assert api.head("/v2").status_code == 404
    assert api.post("/v1/models").headers["allow"] == "GET, HEAD"


def test_every_reply_is_safe_in_a_browser(api: TestClient, paths: list[str], monkeypatch: pytest.MonkeyPatch):
    replies = {path: api.get(path) for path in [*paths, "/v2", "/v1/models?limit=0"]}

    async def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Reader, "rows", fail)
    replies["broken"] = api.get("/v1/models")
    assert {reply.status_code for reply in replies.values()} == {200, 404, 422, 500}
    for path, reply in replies.items():
        assert reply.headers["x-content-type-options"] == "nosniff", path
        assert reply.headers["referrer-policy"] == "no-referrer", path
        policy = reply.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy, path
        assert ("script-src" in policy) is (path in ("/docs", "/redoc")), path
        assert "http" not in policy, path


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            f"{UPCOMING}?competiton=E0",
            "query.competiton: there is no such parameter; did you mean competition?",
        ),
        (f"{UPCOMING}?Limit=1", "did you mean limit?"),
        (f"{UPCOMING}?q=E0", "known are from, to, role, limit, cursor, fields, format, competition, team"),
        (f"{UPCOMING}?limit=1&limit=2", "query.limit: given more than once"),
        ("/?league=E0", "known are competition, from, to, team"),
        ("/v1/health/live?limit=1", "query.limit: there is no such parameter; there is none here"),
        ("/metrics?name=up", "query.name"),
    ],
)
def test_a_parameter_without_effect_is_refused(api: TestClient, address: str, told: str):
    reply = api.get(address)
    assert (reply.status_code, reply.headers["content-type"]) == (422, "application/problem+json")
    assert told in reply.json()["detail"]
    assert reply.json()["errors"][0]["loc"][0] == "query"


def test_every_refused_parameter_is_named(api: TestClient):
    errors = api.get(f"{UPCOMING}?form=2023-03-10&until=2023-03-11&role=champion").json()["errors"]
    assert [error["loc"] for error in errors] == [["query", "form"], ["query", "until"]]


def test_an_invented_method_makes_no_series(api: TestClient):
    for method in ("BREW", "WHEN", "HEAD", "OPTIONS"):
        api.request(method, "/v1/models")
    counted = api.get("/metrics").text
    assert 'method="other",route="/v1/models",status="405"} 2.0' in counted
    assert 'method="HEAD",route="/v1/models",status="200"} 1.0' in counted
    assert 'method="OPTIONS"' in counted
    assert "BREW" not in counted
