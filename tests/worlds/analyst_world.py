"""A warehouse with two seasons of two competitions, predictions and what came of them, for questions to be asked of."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders import season_csv
from predictions import insert_prediction, insert_season, unchecked
from season_folder import write_season_folder
from touchline.clock import virtual_clock
from touchline.database.engine import Connection, rows
from touchline.landing.collect import collect
from touchline.ledger.settle import settle_predictions
from touchline.settings import Settings
from touchline.warehouse.build import build_layer
from warehouse import build

MONDAY = datetime(2022, 9, 19, 12, tzinfo=UTC)
FORECASTS = (
    ("with_odds", "champion"),
    ("no_odds", "challenger"),
    ("elo", "baseline"),
    ("market", "baseline"),
)
# What each forecast mixes of an even guess into the market's probabilities, on the day; half of it before.
EVEN = {"with_odds": 0.25, "no_odds": 0.1, "elo": 0.4, "market": 0.0}

OUTCOMES = ("home", "draw", "away")
MATCHES = """
select match_id::text as match_id, competition, season, home_team, away_team, kickoff_at,
    price_home, price_draw, price_away, p_market_home, p_market_draw, p_market_away
from analytics.matches where season = '2022/23' and p_market_home is not null order by kickoff_at, match_id
"""


def build_analyst_world(empty: Settings, folder: Path) -> Settings:
    """Collect, build, predict and settle as of a Monday in September 2022; one price could not be used."""
    write_season_folder(folder, 2021, 2)
    _with_a_team_that_went_down(folder / "2122" / "E0.csv")
    _with_goals_market_and_a_bad_price(folder / "2122" / "E1.csv")
    settings = empty.model_copy(update={"source": str(folder)})
    collect(settings, virtual_clock(MONDAY), "collect")
    build(settings, MONDAY)
    build_layer(settings, "analytics", MONDAY, "build")
    with unchecked(settings) as connection:
        for match in rows(connection, MATCHES):
            for before, share in ((timedelta(days=2), 0.5), (timedelta(hours=3), 1.0)):
                made = match["kickoff_at"] - before
                if made <= MONDAY:
                    _predict(connection, match, made, share)
        insert_season(connection)
    settle_predictions(settings, virtual_clock(MONDAY), "settle")
    return settings


def _predict(connection: Connection, match: dict[str, Any], made: datetime, share: float) -> None:
    prices = {f"market_price_{outcome}": match[f"price_{outcome}"] for outcome in OUTCOMES}
    for forecast, role in FORECASTS:
        even = EVEN[forecast] * share
        p = {f"p_{outcome}": (1 - even) * match[f"p_market_{outcome}"] + even / 3 for outcome in OUTCOMES}
        p["p_away"] = 1 - p["p_home"] - p["p_draw"]
        insert_prediction(
            connection, forecast=forecast, role=role, predicted_at=made, features_as_of=made, feature_hash=str(made),
            features=prices, **p, **{name: match[name] for name in (
                "match_id", "competition", "season", "home_team", "away_team", "kickoff_at")},
        )  # fmt: skip


def _with_a_team_that_went_down(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Stoke", b"Watford"))


def _with_goals_market_and_a_bad_price(path: Path) -> None:
    with path.open(newline="") as file:
        matches = list(csv.DictReader(file))
    for match in matches:
        match |= {"Avg>2.5": "1.90", "Avg<2.5": "1.95"}
    matches[0]["B365H"] = "0.90"
    path.write_bytes(season_csv(matches))
