"""The interactive documentation: complete, and whole without the internet."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

pytestmark = pytest.mark.slow

# Replies of which a reader learns nothing from an example: structures, and times, which explain themselves.
SELF_EXPLAINING = {"string/date-time", "array", "object", "boolean"}


@pytest.fixture
def document(api: TestClient) -> dict:
    return api.get("/openapi.json").json()


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_load_only_what_the_api_itself_serves(api: TestClient, page: str):
    html = api.get(page).text
    assets = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', html)
    assert any(asset.endswith(".js") for asset in assets)
    assert all(asset.startswith("/") for asset in assets), assets
    assert [asset for asset in assets if api.get(asset).status_code != 200] == []


def test_every_route_says_what_it_does_and_how_it_fails(document: dict):
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert method == "get" or (method, path) == ("put", "/v1/me/profile"), "read-only"
            assert route["description"], path
            if "{" in path:
                assert {"200", "304", "404", "422", "503"} <= set(route["responses"]), path
    problem = document["paths"]["/v1/matches/{match_id}"]["get"]["responses"]["404"]["content"]
    assert problem == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_every_reference_of_the_document_leads_somewhere(document: dict):
    text = str(document)
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert "Problem" in names
    assert names <= set(document["components"]["schemas"])


def test_every_field_has_an_example_or_an_explanation(document: dict):
    bare = []
    for name, schema in document["components"]["schemas"].items():
        for field, content in schema.get("properties", {}).items():
            kinds = {
                f"{kind['type']}/{kind['format']}" if "format" in kind else kind.get("type", "reference")
                for kind in content.get("anyOf", [content])
            }
            explains_itself = kinds <= SELF_EXPLAINING | {"null", "reference"} or "const" in content
            if not (explains_itself or "examples" in content or "description" in content):
                bare.append(f"{name}.{field}")
    assert bare == []


def test_what_is_not_served_is_said_with_where_to_look(api: TestClient):
    for reply, status in ((api.get("/v2/predictions"), 404), (api.post("/v1/models"), 405)):
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
        assert "/docs" in reply.json()["detail"]
