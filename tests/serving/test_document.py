"""Requests made from the OpenAPI document, replies held against it: by schemathesis, on a built warehouse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import schemathesis
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from jsonschema_rs import validator_for
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance
from starlette.testclient import TestClient

from served_world import World
from touchline.accounts import keys
from touchline.database.engine import connect

pytestmark = pytest.mark.slow

ADDRESS = "http://testserver"
# By day and by night; of each route, with data that it takes and with data that it does not.
BY_DAY, BY_NIGHT = 4, 60
# What there is, and no pattern can say: which competitions, teams and zones are known depends on the data.
KNOWN = {
    "competition": "E0", "team": "Arsenal", "competitions": ["E0"], "teams": ["Arsenal"],
    "time_zone": "Europe/London", "language": "pt_BR",
}  # fmt: skip


@pytest.fixture
def client(module_world: World, serve: Callable[..., TestClient]) -> TestClient:
    """A client whose key may do everything."""
    at = datetime.now(UTC)
    with connect(module_world.settings, "owner") as connection:
        key = keys.create(connection, "somebody", ["read", "profile"], at, at + timedelta(days=1))
    client = serve(module_world.settings)
    client.headers["Authorization"] = f"Bearer {key.key}"
    return client


def make_known(case: schemathesis.Case) -> None:
    """Ask for what there is, and for the first page: a cursor is what an earlier reply gave."""
    case.query.pop("cursor", None)
    for values in (case.query, case.body):
        if isinstance(values, dict):
            values |= {name: value for name, value in KNOWN.items() if name in values}


def request_of(case: schemathesis.Case) -> dict[str, Any]:
    """What httpx needs to send a case."""
    kwargs = case.as_transport_kwargs(base_url=ADDRESS)
    return {
        name: value
        for name, value in kwargs.items()
        if name in ("method", "url", "params", "headers", "json")
    } | ({"content": kwargs["data"]} if "data" in kwargs else {})


def hold_against_its_part(document: dict[str, Any], case: schemathesis.Case, reply: Response) -> None:
    """With `fields` items have these alone, as the parameter's description says; all else is as the schema says."""
    if not reply.headers["content-type"].startswith("application/json"):
        return
    names = set(case.query["fields"].split(","))
    part = deepcopy(document)
    for each in part["components"]["schemas"].values():
        if names <= each.get("properties", {}).keys():
            each["required"] = sorted(names)
    told = document["paths"][case.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    validator_for({**told, "components": part["components"]}).validate(reply.json())


@pytest.mark.parametrize("n_cases", [BY_DAY, pytest.param(BY_NIGHT, marks=pytest.mark.nightly)])
def test_replies_are_what_the_document_says(client: TestClient, module_world: World, n_cases: int):
    document = client.get("/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    ids = {
        "match_id": module_world.priced, "prediction_id": module_world.ids["new"], "code": "E0",
        "model_name": "touchline_match_result", "model_version": "1",
    }  # fmt: skip
    asked = []

    def ask(case: schemathesis.Case, mode: GenerationMode, *, is_there: bool) -> None:
        if mode is GenerationMode.POSITIVE:
            make_known(case)
            if is_there:
                case.path_parameters |= {name: ids[name] for name in case.path_parameters}
        reply = client.request(**request_of(case))
        asked.append(reply.status_code)
        if reply.status_code == 200 and case.query.get("fields"):
            hold_against_its_part(document, case, reply)
            case.validate_response(reply, excluded_checks=[response_schema_conformance])
        else:
            case.validate_response(reply)

    def ask_for(operation: schemathesis.APIOperation, mode: GenerationMode) -> None:
        @settings(max_examples=n_cases, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
        def run(case: schemathesis.Case, is_there: bool) -> None:
            ask(case, mode, is_there=is_there)

        # Of a route that takes anything, nothing is wrong.
        with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
            run()

    for found in schema.get_all_operations():
        for mode in GenerationMode:
            ask_for(found.ok(), mode)
    assert {200, 404, 422} <= set(asked)
    assert n_cases < BY_NIGHT or len(asked) >= 2000
