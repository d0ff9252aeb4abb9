"""Airflow's web server does nothing for whoever has no token, and answers no page of another site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.execution_api.routes import execution_api_router
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

pytestmark = pytest.mark.slow

ADDRESS = "http://127.0.0.1:8080"
READS = {"GET", "HEAD", "OPTIONS"}
# They ask for the password itself.
LOGINS = {"/auth/token", "/auth/token/cli"}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app()


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=ADDRESS, raise_server_exceptions=False) as client:
        yield client


def writes(routes: list[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route that changes something, in the mounted applications, too."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield from ((method, prefix + route.path) for method in route.methods - READS)
        elif isinstance(inner := getattr(route, "app", None), FastAPI):
            yield from writes(inner.routes, prefix + route.path)


def test_without_a_token_every_write_is_refused(app: FastAPI, client: TestClient):
    found = {*writes(app.routes), *writes(execution_api_router.routes, "/execution")}
    assert {("POST", "/api/v2/variables"), ("POST", "/api/v2/dags/{dag_id}/dagRuns")} <= found
    assert len(found) > 80
    answered = {
        (method, path): client.request(method, path.replace("{", "").replace("}", "")).status_code
        for method, path in found
        if path not in LOGINS
    }
    assert {write: status for write, status in answered.items() if status not in (401, 403)} == {}


def test_a_token_is_given_for_the_password_only(client: TestClient):
    assert client.get("/auth/token").status_code == 403
    assert client.get("/auth/token/login", follow_redirects=False).status_code == 403
    for path in LOGINS:
        for body in ({"username": "admin", "password": "guess"}, {"username": "admin", "password": ""}):
            assert client.post(path, json=body).status_code in (400, 401)


def test_the_way_of_the_data_is_not_shown_to_who_has_not_logged_in(client: TestClient):
    assert client.get("/touchline/").status_code == 401
    assert client.get("/touchline/", headers={"Authorization": "Bearer x"}).status_code == 403
    assert client.post("/touchline/").status_code == 405


@pytest.mark.parametrize(("headers", "is_answered"), [
    ({}, True),
    ({"Origin": ADDRESS}, True),
    ({"Host": "localhost:8080", "Origin": "http://localhost:8080"}, True),
    ({"Host": "[::1]:8080"}, True),
    ({"Host": "10.1.2.3:8080"}, True),
    # The name of the service itself, whatever a proxy made of the request.
    ({"Host": "airflow.example"}, True),
    ({"Host": "127.0.0.1:8080", "Origin": "https://airflow.example"}, True),
    ({"Host": "rebound.example:8080"}, False),
    ({"Host": "rebound.example:8080", "Origin": "http://rebound.example:8080"}, False),
    ({"Host": "127.0.0.1.rebound.example"}, False),
    ({"Host": "[rebound"}, False),
    ({"Host": ""}, False),
    ({"Origin": "https://other.example"}, False),
    ({"Origin": "http://127.0.0.1:3000"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "http://[other"}, False),
])  # fmt: skip
def test_a_page_of_another_site_is_not_answered(
    client: TestClient, headers: dict[str, str], is_answered: bool
):
    reply = client.get("/api/v2/version", headers=headers)
    assert reply.status_code == (200 if is_answered else 403), reply.text
