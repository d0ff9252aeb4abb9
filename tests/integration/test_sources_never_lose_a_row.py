"""Whatever a body holds: no source crashes, every row is parsed or rejected with its reason, frames keep their types.

Bodies are those of the simulated world (and the captured replies where they are at hand), damaged from a seed.
`make test-all` runs 20,000 cases; `make test` runs 500.
"""

from __future__ import annotations

import codecs
import importlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from damage import damaged
from scripted_provider import client_of
from simulated_world import simulated_world
from touchline.errors import PayloadRejected
from touchline.sandbox.server import SandboxServer
from touchline.settings import PROJECT_ROOT
from touchline.sources.configuration import read_configuration
from touchline.sources.registry import FACTORIES, SANDBOX_KEY
from touchline.sources.simulated import provider_address
from touchline.sources.source import KINDS, Observations, Request, Source

N_CASES = int(os.environ.get("FUZZ_CASES", "500"))
SCOPES = {"row", "field", "price"}
Seed = tuple[Source, Request, bytes]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Seed]]:
    """Undamaged bodies of every registered source: one of each endpoint's kind."""
    with simulated_world(tmp_path_factory.mktemp("world")) as server:
        yield [*_simulated(server), *_captured()]


def _source(name: str, address: str) -> Source:
    module_name, class_name, dialect_name = FACTORIES[name]
    module = importlib.import_module(module_name)
    client, _ = client_of(address, name, getattr(module, dialect_name)())
    configuration = read_configuration()
    found = configuration.in_sandbox(name, address) if "127.0.0.1" in address else configuration.sources[name]
    source: Source = getattr(module, class_name)(found, client)
    return source


def _simulated(server: SandboxServer) -> Iterator[Seed]:
    for name in FACTORIES:
        address = provider_address(server.address, name)
        source = _source(name, address)
        seen: set[str] = set()
        for request in reversed(source.requests(KINDS, server.clock.now)):
            kind = request.endpoint.split("?")[0].rsplit("/", 1)[-1]
            if name == "football_data_uk":
                kind = "fixtures" if kind == "fixtures.csv" else "season"
            if kind in seen:
                continue
            headers = {"X-Auth-Token": "k", "x-apisports-key": "k"}
            url = httpx.URL(f"{address}/{request.endpoint}")
            url = url.copy_merge_params({"apiKey": SANDBOX_KEY.get_secret_value()})
            reply = httpx.get(url, headers=headers)
            if reply.status_code == httpx.codes.OK and source.parse(request, reply.content).n_rows:
                seen.add(kind)
                yield source, request, _shortened(reply.content)


def _shortened(body: bytes) -> bytes:
    """The beginning of a file: twenty rows are as good as four hundred. JSON is taken whole."""
    return body if body[:1] in b"{[" else b"\r\n".join(body.split(b"\r\n")[:20]) + b"\r\n"


def _captured() -> Iterator[Seed]:
    shared = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    named = {
        "football-data-org": ("football_data_org", "competitions/PL/matches?season=2025"),
        "the-odds-api": ("the_odds_api", "sports/soccer_epl/odds?markets=h2h"),
        "api-football": ("api_football", "fixtures?league=39&season=2022"),
    }
    for path in sorted(shared.glob("api_samples/*.json")):
        if "standings" in path.name:
            continue
        name, endpoint = next(value for start, value in named.items() if path.name.startswith(start))
        yield (
            _source(name, read_configuration().sources[name].address),
            Request(name, endpoint),
            path.read_bytes(),
        )


def _check(found: Observations) -> None:
    rejected = [each.row_number for each in found.rejections if each.scope == "row"]
    assert len(rejected) == len(set(rejected))
    assert found.n_parsed + len(rejected) == found.n_rows
    for rejection in found.rejections:
        assert rejection.scope in SCOPES
        assert rejection.reason
        assert rejection.rule
        assert rejection.scope == "row" or rejection.field
    usable = set(range(1, found.n_rows + 1)) - set(rejected)
    for frame in (found.fixtures, found.scores, found.quotes):
        assert set(frame["row_number"]) <= usable
    assert not found.scores.select(pl.any_horizontal(pl.col("home_goals", "away_goals") < 0).any()).item()
    prices = [name for name in found.quotes.columns if name.startswith("price_")]
    assert not found.quotes.select(pl.any_horizontal(pl.col(prices) <= 1).any()).item()


def test_every_registered_source_is_among_the_seeds_and_its_own_bodies_parse(seeds: list[Seed]):
    assert {source.name for source, _, _ in seeds} == set(FACTORIES)
    for source, request, body in seeds:
        found = source.parse(request, body)
        assert found.n_rows > 0
        _check(found)


@pytest.mark.slow
def test_damaged_bodies_are_parsed_or_rejected_whole_or_row_by_row(seeds: list[Seed]):
    outcomes = {"parsed": 0, "rows rejected": 0, "payload rejected": 0}
    for number in range(N_CASES):
        chance = random.Random(number)
        source, request, body = seeds[number % len(seeds)]
        harmed = damaged(body, chance)
        try:
            found = source.parse(request, harmed)
        except PayloadRejected:
            outcomes["payload rejected"] += 1
            continue
        _check(found)
        outcomes["rows rejected" if found.n_parsed < found.n_rows else "parsed"] += 1
    # Damage that is never noticed, or always fatal, would show nothing.
    assert all(n > N_CASES / 50 for n in outcomes.values()), outcomes


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
@example(body=codecs.BOM_UTF8)
def test_anything_at_all_is_a_body(seeds: list[Seed], body: bytes):
    for source, request in {
        (source.name, request.endpoint): (source, request) for source, request, _ in seeds
    }.values():
        _parsed_or_rejected(source, request, body)


def _parsed_or_rejected(source: Source, request: Request, body: bytes) -> None:
    try:
        found = source.parse(request, body)
    except PayloadRejected:
        return
    _check(found)
