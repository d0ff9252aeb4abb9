"""The simulated world: one world a seed, nothing of its future, and football that looks like football."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest

from scripted_provider import client_of
from simulated_world import simulated_world
from touchline.errors import SourceUnavailable
from touchline.sandbox.clock import BEGINNING, WorldClock, advance_clock, read_clock
from touchline.sandbox.server import SandboxServer
from touchline.sandbox.world import SandboxWorld
from touchline.sources.configuration import read_configuration
from touchline.sources.football_data_uk.parse import parse
from touchline.sources.football_data_uk.site import SiteDialect, SiteSource
from touchline.sources.simulated import told_at
from touchline.sources.source import NoReply, Reply, Request

SEASON_FILE = "mmz4281/2526/X1.csv"


@pytest.fixture(scope="module")
def world() -> SandboxWorld:
    return SandboxWorld(7)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with simulated_world(tmp_path) as running:
        yield running


def all_seasons(world: SandboxWorld) -> pl.DataFrame:
    seasons = [world.season(year) for year in range(2019, 2026)]
    return pl.concat(season for season in seasons if season is not None)


def test_a_seed_is_one_world_and_another_seed_another(world: SandboxWorld):
    again = SandboxWorld(7).season(2020)
    assert again is not None
    assert again.equals(world.season(2020))
    assert not again.equals(SandboxWorld(8).season(2020))


def test_every_pairing_of_a_division_is_played_once_at_each_venue(world: SandboxWorld):
    season = world.season(2024)
    assert season is not None
    for competition, size in (("X1", 20), ("Y2", 16)):
        pairs = season.filter(pl.col("Div") == competition).select("HomeTeam", "AwayTeam")
        assert pairs.height == pairs.unique().height == size * (size - 1)
    by_day = season.group_by("HomeTeam", "Date").len()
    assert by_day["len"].max() == 1


def test_three_teams_go_up_and_three_go_down(world: SandboxWorld):
    before, after = (
        set(season.filter(pl.col("Div") == "X1")["HomeTeam"])
        for season in (world.season(2023), world.season(2024))
        if season is not None
    )
    assert len(before & after) == 17


def test_goals_and_home_advantage_look_like_football(world: SandboxWorld):
    matches = all_seasons(world)
    assert 2.3 < (matches["FTHG"] + matches["FTAG"]).mean() < 3.1  # type: ignore[operator]
    assert 0.40 < (matches["FTHG"] > matches["FTAG"]).mean() < 0.50  # type: ignore[operator]
    assert 0.20 < (matches["FTHG"] == matches["FTAG"]).mean() < 0.31  # type: ignore[operator]
    assert (matches["HST"] >= matches["FTHG"]).all()
    assert (matches["HTHG"] <= matches["FTHG"]).all()


def log_loss(matches: pl.DataFrame, code: str) -> float:
    inverse = 1 / matches.select(f"{code}H", f"{code}D", f"{code}A").to_numpy()
    probabilities = inverse / inverse.sum(axis=1, keepdims=True)
    happened = matches["FTR"].replace_strict({"H": 0, "D": 1, "A": 2}).to_numpy()
    return float(-np.log(probabilities[np.arange(len(happened)), happened]).mean())


def test_closing_prices_are_sharper_than_early_ones_and_both_than_base_rates(world: SandboxWorld):
    matches = all_seasons(world)
    shares = matches["FTR"].value_counts(normalize=True)["proportion"].to_numpy()
    assert log_loss(matches, "AvgC") < log_loss(matches, "Avg") < -(shares * np.log(shares)).sum()


def test_every_price_has_a_plausible_overround(world: SandboxWorld):
    matches = all_seasons(world)
    for code in ("B365", "PS", "WH", "B365C", "Avg", "AvgC"):
        inverse = 1 / matches.select(f"{code}H", f"{code}D", f"{code}A").to_numpy()
        assert inverse.sum(axis=1).min() > 1.0
        assert inverse.sum(axis=1).max() < 1.15


def test_files_read_with_the_real_providers_parser_without_a_rejection(server: SandboxServer):
    for endpoint in ("fixtures.csv", SEASON_FILE, "mmz4281/1920/Y2.csv"):
        body = server.body(endpoint)
        assert body is not None
        found = parse(endpoint, body)
        assert found.n_parsed == found.n_rows > 0
        assert not found.rejections
        assert found.quotes.height > 0


def test_no_file_knows_the_future(server: SandboxServer):
    now = server.clock.now
    season, fixtures = server.body(SEASON_FILE), server.body("fixtures.csv")
    assert season is not None
    assert fixtures is not None
    assert parse(SEASON_FILE, season).scores["published_at"].max() <= now  # type: ignore[operator]
    ahead = parse("fixtures.csv", fixtures)
    assert ahead.scores.is_empty()
    assert not ahead.quotes["is_closing"].any()
    assert ahead.quotes["published_at"].max() <= now  # type: ignore[operator]
    assert ahead.fixtures["kickoff_at"].min() > now  # type: ignore[operator]
    assert server.body("mmz4281/2627/X1.csv") is None


def test_prices_of_a_fixture_are_those_the_season_file_shows_later(server: SandboxServer):
    fixtures = server.body("fixtures.csv")
    assert fixtures is not None
    before = parse("fixtures.csv", fixtures).quotes
    server.clock.move_to(server.clock.now + timedelta(days=7))
    season = server.body(SEASON_FILE)
    assert season is not None
    after = parse(SEASON_FILE, season).quotes.filter(~pl.col("is_closing"))
    key = ["fixture_key", "bookmaker", "market", "line"]
    both = before.join(after, on=key, suffix="_later")
    assert both.height > 50
    assert (both["price_home"] == both["price_home_later"]).drop_nulls().all()


def test_advancing_the_clock_reveals_more_and_changes_nothing(server: SandboxServer):
    before = server.body(SEASON_FILE)
    assert advance_clock(server.address, 7) == BEGINNING + timedelta(days=7)
    after = server.body(SEASON_FILE)
    assert before is not None
    assert after is not None
    assert len(after) > len(before)
    assert after.startswith(before)


def test_the_clock_only_moves_forward_and_survives_a_restart(tmp_path: Path):
    clock = WorldClock(tmp_path / "clock.json")
    clock.move_to(BEGINNING + timedelta(days=3))
    with pytest.raises(ValueError, match="only moves forward"):
        clock.move_to(BEGINNING)
    assert WorldClock(tmp_path / "clock.json").now == BEGINNING + timedelta(days=3)


def test_the_clock_is_read_and_refused_over_http(server: SandboxServer):
    assert read_clock(server.address) == BEGINNING
    reply = httpx.post(f"{server.address}/clock", content=json.dumps({"now": "2020-01-01T00:00:00+00:00"}))
    assert reply.status_code == 400
    assert "only moves forward" in reply.text
    assert httpx.get(f"{server.address}/nothing.csv").status_code == 404


def test_a_sandbox_that_does_not_answer_says_how_to_start_it():
    with pytest.raises(SourceUnavailable, match="touchline up"):
        read_clock("http://127.0.0.1:9")


def site_of(address: str) -> SiteSource:
    configuration = read_configuration().in_sandbox("football_data_uk", address)
    client, _ = client_of(address, "football_data_uk", SiteDialect())
    return SiteSource(configuration.model_copy(update={"history_seasons": 1}), client)


def test_the_site_source_fetches_once_and_then_asks_whether_it_changed(server: SandboxServer):
    source = site_of(server.address)
    as_of = datetime(2026, 3, 13, 16, tzinfo=UTC)
    endpoints = [request.endpoint for request in source.requests(["scores", "fixtures"], as_of)]
    assert endpoints[-1] == "fixtures.csv"
    assert SEASON_FILE in endpoints
    request = Request("football_data_uk", SEASON_FILE)
    reply = source.fetch(request, as_of, {})
    assert isinstance(reply, Reply)
    assert reply.body == server.body(SEASON_FILE)
    again = source.fetch(request, as_of, reply.validators)
    assert again == NoReply("not_modified")
    assert source.fetch(Request("football_data_uk", "mmz4281/2627/X1.csv"), as_of, {}) == NoReply(
        "not_offered"
    )


def test_every_reply_says_what_time_it_is_in_the_world(server: SandboxServer):
    for path, status in ((SEASON_FILE, 200), ("mmz4281/2627/X1.csv", 404), ("clock", 200)):
        reply = httpx.get(f"{server.address}/{path}", timeout=60)
        assert (reply.status_code, told_at(reply.headers)) == (status, server.clock.now)
    with pytest.raises(SourceUnavailable, match="what time it is"):
        told_at({"date": "Fri, 13 Mar 2026 16:00:00 GMT"})


def test_a_site_that_is_down_is_unavailable_with_its_address():
    source = site_of("http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match=r"127\.0\.0\.1:9.*4 attempts"):
        source.fetch(Request("football_data_uk", "fixtures.csv"), BEGINNING, {})


def test_column_names_are_the_real_ones(server: SandboxServer, shared_data: Path):
    with (shared_data / "football_data_uk" / "columns.csv").open() as lines:
        real = {row["column"] for row in csv.DictReader(lines)}
    body = server.body(SEASON_FILE)
    assert body is not None
    assert set(body.decode("utf-8-sig").splitlines()[0].split(",")) <= real
