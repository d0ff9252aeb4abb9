"""One simulated world that answers as its providers at any moment, for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from touchline.sandbox import names
from touchline.sandbox.answer import Answer, Asked, Present
from touchline.sandbox.answers import Answers
from touchline.sandbox.faults import FaultBoard
from touchline.sandbox.world import SandboxWorld
from touchline.sources.configuration import read_configuration
from touchline.sources.simulated import API_FOOTBALL, FOOTBALL_DATA_ORG, THE_ODDS_API

SEED = 7
FRIDAY = datetime(2026, 3, 13, 16, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SPORT = "soccer_xanadu_premier"
ALL_MARKETS = {"regions": "uk,eu", "markets": "h2h,spreads,totals"}


class World:
    """Asks the providers of one world at any moment."""

    def __init__(self) -> None:
        self.world = SandboxWorld(SEED)
        self.board = FaultBoard(SEED)
        self.answers = Answers(self.world, read_configuration(), self.board)

    def ask(self, now: datetime, source: str, path: str, *, has_key: bool = True, **query: str) -> Answer:
        return self.answers.answer(Asked(source, path, query, has_key), Present(now))

    def tell(self, now: datetime, source: str, path: str, **query: str) -> Any:
        answer = self.ask(now, source, path, **query)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    def org(self, now: datetime, code: str = "XPL", **query: str) -> list[dict[str, Any]]:
        body = self.tell(now, FOOTBALL_DATA_ORG, f"competitions/{code}/matches", **{"season": "2025"} | query)
        return list(body["matches"])

    def odds(self, now: datetime, **query: str) -> list[dict[str, Any]]:
        return list(self.tell(now, THE_ODDS_API, f"sports/{SPORT}/odds", **(ALL_MARKETS | query)))

    def scores(self, now: datetime, **query: str) -> list[dict[str, Any]]:
        return list(self.tell(now, THE_ODDS_API, f"sports/{SPORT}/scores", **query))

    def fixtures(self, now: datetime) -> list[dict[str, Any]]:
        return list(self.tell(now, API_FOOTBALL, "fixtures", league="9001", season="2025")["response"])

    def pages(self, now: datetime) -> list[dict[str, Any]]:
        query = {"league": "9001", "season": "2025"}
        first = self.tell(now, API_FOOTBALL, "odds", **query, page="1")
        numbers = range(2, first["paging"]["total"] + 1)
        return [first, *(self.tell(now, API_FOOTBALL, "odds", **query, page=str(n)) for n in numbers)]

    @property
    def next_match(self) -> dict[str, Any]:
        """The first match of X1 that kicks off after the beginning, as the world knows it."""
        season = self.world.season(2025)
        assert season is not None
        ahead = season.filter((pl.col("Div") == "X1") & (pl.col("kickoff_at") > FRIDAY + 12 * HOUR))
        return ahead.row(0, named=True)


def event_of(events: list[dict[str, Any]], match: dict[str, Any]) -> dict[str, Any]:
    """The Odds API's event of a match of the world."""
    clubs = (names.the_odds_api(match["HomeTeam"]), names.the_odds_api(match["AwayTeam"]))
    return next(event for event in events if (event["home_team"], event["away_team"]) == clubs)
