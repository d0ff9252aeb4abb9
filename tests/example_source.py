"""A fifth source, as docs/adding-a-source.md describes one: fixtures and scores of a small JSON provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from touchline.sources.configuration import SourceConfiguration
from touchline.sources.football_data_uk.addresses import uk_day
from touchline.sources.http import Allowance, ProviderClient, RawReply, Verdict, judge_status
from touchline.sources.json_body import Fields, decode, match_list
from touchline.sources.match_rows import Row, read_rows
from touchline.sources.seasons import label_of, start_year_of
from touchline.sources.source import Kind, NoReply, Observations, Reply, Request


class ExampleDialect:
    key_header = "X-Example-Key"
    key_parameter = None

    def judge(self, reply: RawReply) -> Verdict:
        return judge_status(reply)

    def allowance(self, reply: RawReply) -> Allowance:
        return Allowance()


class ExampleSource:
    name = "example"
    ignored: Sequence[str] = ()

    def __init__(self, configuration: SourceConfiguration, client: ProviderClient) -> None:
        self._competitions = configuration.competitions
        self._client = client

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        return [Request(self.name, f"games?league={code}") for code in self._competitions.values()]

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        return [
            Request(self.name, f"games?from={start}&league={code}&to={end}")
            for code in self._competitions.values()
        ]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        return []

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        return self._client.get(request, validators)

    def parse(self, request: Request, body: bytes) -> Observations:
        games = match_list(decode(body, request.endpoint), "games", request.endpoint)
        return read_rows(games, self._read)

    def _read(self, game: Fields, row: Row) -> None:
        row.match_id = game.identifier("id")
        codes = {theirs: ours for ours, theirs in self._competitions.items()}
        competition = game.code("league", codes, "unknown_competition", "see config/sources.yaml")
        kickoff = game.moment("starts")
        home, away = game.teams("home", "away")
        row.fixture = {
            "competition": competition,
            "season": label_of(competition, start_year_of(competition, uk_day(kickoff))),
            "home_team": home,
            "away_team": away,
            "kickoff_on": uk_day(kickoff),
            "kickoff_at": kickoff,
            "is_kickoff_time_known": True,
            "status": game.text("state"),
            "published_at": kickoff - timedelta(days=30),
        }
        if game.text("state") == "played":
            row.score = {
                "home_goals": game.count("home_goals"),
                "away_goals": game.count("away_goals"),
                "published_at": kickoff + timedelta(hours=2),
            }
