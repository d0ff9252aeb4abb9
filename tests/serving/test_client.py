"""The generated Python client, as pip would install it, against a server that runs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from clients.python import document

from api_process import free_port, key_for, process
from served_world import NOW, World
from touchline import __version__
from touchline.accounts import keys
from touchline.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

PACKAGE = PROJECT_ROOT / "clients" / "python"
PAGE = PROJECT_ROOT / "docs" / "client.md"
ADDRESS_OF_THE_PAGE = "http://127.0.0.1:8000"
BEGINNING = datetime(2022, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def client_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package, built as a wheel and unpacked where Python finds it."""
    folder = tmp_path_factory.mktemp("client")
    # Building writes beside the sources.
    shutil.copytree(PACKAGE, folder / "source")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, folder / "source"],
        check=True,
    )  # fmt: skip
    (wheel,) = (folder / "source" / "dist").glob("*.whl")
    shutil.unpack_archive(wheel, folder / "installed", "zip")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(folder / "installed")
        yield import_module("touchline_client")


@pytest.fixture(scope="module")
def address(module_world: World) -> Iterator[str]:
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "touchline.serving", "--port", str(port)]
    with process(command, module_world.settings.model_copy(update={"as_of": NOW}), here):
        yield here


@pytest.fixture(scope="module")
def key(module_world: World) -> str:
    return key_for(module_world.settings, "read", "profile").key


@pytest.fixture
def client(client_package: ModuleType, address: str) -> Any:
    return client_package.Client(address, raise_on_unexpected_status=True)


def api(name: str) -> Any:
    """A module of the client's: the functions of one route."""
    return import_module(f"touchline_client.api.{name}")


def model(name: str) -> Any:
    return getattr(import_module("touchline_client.models"), name)


def test_the_document_that_the_client_is_made_from_is_the_one_that_is_served():
    assert document.DOCUMENT.read_text() == document.document(), "run `make client`"
    assert tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_every_route_has_its_function(client_package: ModuleType):
    served = json.loads(document.document())["paths"]
    folder = Path(client_package.__path__[0], "api")
    written = {path.stem for path in folder.glob("*/*.py")} - {"__init__"}
    assert written == {route["operationId"] for methods in served.values() for route in methods.values()}


def test_a_record_has_the_types_of_its_fields(client: Any, module_world: World):
    found = api("predictions.prediction").sync(UUID(module_world.ids["settled"]), client=client)
    assert isinstance(found, model("Prediction"))
    assert found.prediction_id == UUID(module_world.ids["settled"])
    assert found.predicted_at == datetime(2022, 10, 14, 12, tzinfo=UTC)
    assert sum(found.probabilities.to_dict().values()) == pytest.approx(1)
    assert isinstance(found.outcome, model("Outcome"))
    assert found.features.additional_properties["home_elo"] == 1512.5
    again = asyncio.run(api("predictions.prediction").asyncio(found.prediction_id, client=client))
    assert again == found


def test_pages_follow_one_another(client: Any):
    matches = api("matches.matches").sync
    whole = matches(client=client, competition="E0", from_=BEGINNING)
    found, page = [], matches(client=client, competition="E0", from_=BEGINNING, limit=3)
    while True:
        found += page.matches
        if page.next_ is None:
            break
        page = matches(client=client, competition="E0", from_=BEGINNING, limit=3, cursor=page.next_)
    assert len(found) > 3
    assert found == whole.matches


def test_what_cannot_be_answered_is_a_problem(client: Any):
    detailed = api("matches.match").sync_detailed(UUID(int=0), client=client)
    assert (detailed.status_code, type(detailed.parsed)) == (404, model("Problem"))
    refused = api("matches.matches").sync(client=client, competition="ZZ")
    assert (refused.status, refused.errors[0].to_dict()["loc"]) == (422, ["query", "competition"])
    nobody = api("me.my_profile").sync(client=client)
    assert (nobody.status, "touchline keys create" in nobody.detail) == (401, True)


def test_a_key_opens_what_is_its_users(client_package: ModuleType, address: str, key: str):
    client = client_package.AuthenticatedClient(address, token=key)
    given = model("Profile")(teams=["Arsenal"], odds_format="american")
    written = api("me.write_my_profile").sync(client=client, body=given)
    assert isinstance(written, model("StoredProfile"))
    assert api("me.my_profile").sync(client=client) == written
    assert (written.key, written.profile.teams) == (keys.prefix_of(key), ["Arsenal"])


def test_the_examples_of_the_page_run(
    client_package: ModuleType, address: str, key: str, monkeypatch: pytest.MonkeyPatch, module_world: World
):
    monkeypatch.setitem(os.environ, "TOUCHLINE_API_TOKEN", key)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))
    names: dict[str, Any] = {}
    exec(compile(code.replace(ADDRESS_OF_THE_PAGE, address), str(PAGE), "exec"), names)
    frame = names["frame"]
    assert list(frame["prediction_id"]) == [module_world.ids["new"], module_world.ids["unpriced"]]
    assert list(frame["probabilities_home"]) == [0.5, 0.5]
