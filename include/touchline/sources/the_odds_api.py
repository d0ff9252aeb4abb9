"""The Odds API v4: prices of many bookmakers as they move, past snapshots of them, and the scores of three days.

Formats: https://the-odds-api.com/liveapi/guides/v4/. Outcomes come in no fixed order and are matched by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import httpx

from touchline.errors import PayloadRejected
from touchline.sources.configuration import SourceConfiguration
from touchline.sources.football_data_uk.addresses import uk_day
from touchline.sources.http import Allowance, ProviderClient, RawReply, Verdict, judge_status
from touchline.sources.json_body import (
    MOST_GOALS,
    FieldInvalid,
    Fields,
    as_object,
    decode,
    match_list,
    quoted_message,
    shown,
)
from touchline.sources.match_rows import FIXTURE_NOTICE, Row, read_rows
from touchline.sources.prices import add_quote, number
from touchline.sources.source import Kind, NoReply, Observations, Reply, Request

KEY_SETTING: Final = "TOUCHLINE_THE_ODDS_API_KEY"
KEY_ERRORS: Final = ("MISSING_KEY", "INVALID_KEY", "DEACTIVATED_KEY")
NOTHING_THERE: Final = ("UNKNOWN_SPORT", "EVENT_NOT_FOUND")
SECONDS_AFTER_TOO_MANY: Final = 2.0
SCORES_COST, HISTORICAL_FACTOR = 2, 10
SNAPSHOT_HOURS: Final = (0, 6, 12, 18)
HISTORY_BEGINS: Final = date(2020, 6, 6)
# An exchange's prices for betting against an outcome; nobody can back a team at them.
PASSED_OVER: Final = frozenset({"h2h_lay"})
SPORT: Final = re.compile(r"sports/[^/?]+/(?P<what>odds|scores|events)\b")


class TheOddsApiDialect:
    """The Odds API's dialect: the key in the query, `error_code` rather than the status, credits in headers."""

    key_header: str | None = None
    key_parameter: str | None = "apiKey"

    def judge(self, reply: RawReply) -> Verdict:
        """What a reply means. A spent quota comes with status 401, just like a wrong key."""
        code, message = _error(reply)
        if code is None and reply.status == httpx.codes.OK:
            return Verdict("answered")
        if code == "OUT_OF_USAGE_CREDITS":
            # Credits are renewed each month or day, depending on the plan; the provider does not say when.
            return Verdict("quota_spent", message)
        if code == "EXCEEDED_FREQ_LIMIT" or (code is None and reply.status == httpx.codes.TOO_MANY_REQUESTS):
            return Verdict("again", message, SECONDS_AFTER_TOO_MANY)
        if code in NOTHING_THERE:
            return Verdict("not_offered", message)
        if code in KEY_ERRORS or (code is None and reply.status == httpx.codes.UNAUTHORIZED):
            return Verdict("refused", f"{message}; correct {KEY_SETTING}")
        if code is not None and reply.status < httpx.codes.INTERNAL_SERVER_ERROR:
            return Verdict("refused", f"{quoted_message(code)}: {message}")
        return judge_status(reply)

    def allowance(self, reply: RawReply) -> Allowance:
        """Credits left."""
        left = number(reply.headers.get("x-requests-remaining", ""))
        return Allowance(remaining_credits=None if left is None else max(0, int(left)))


class TheOddsApi:
    """One request per competition for prices, and one for scores."""

    name = "the_odds_api"
    ignored: Sequence[str] = ()

    def __init__(self, configuration: SourceConfiguration, client: ProviderClient) -> None:
        self._gives = configuration.gives
        self._competitions = {theirs: ours for ours, theirs in configuration.competitions.items()}
        self._markets, self._regions = sorted(configuration.markets), sorted(configuration.regions)
        self._client = client

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """Prices, scores of the last three days, and (free) lists of events if fixtures are wanted without prices."""
        del as_of
        wanted = [kind for kind in self._gives if kind in kinds]
        found = []
        for sport in self._competitions:
            if "odds" in wanted:
                found.append(Request(self.name, f"sports/{sport}/odds?{self._what()}", self._odds_cost))
            elif "fixtures" in wanted:
                found.append(Request(self.name, f"sports/{sport}/events?dateFormat=iso", 0))
            if "scores" in wanted:
                found.append(Request(self.name, f"sports/{sport}/scores?daysFrom=3", SCORES_COST))
        return found

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """Ask; raises SourceUnavailable."""
        del as_of
        return self._client.get(request, validators)

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """A snapshot of all prices every six hours (UTC), oldest first. Past scores are not available."""
        if "odds" not in kinds or "odds" not in self._gives:
            return []
        first = max(start, HISTORY_BEGINS)
        moments = [
            datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            for day in (first + timedelta(days=n) for n in range((end - first).days + 1))
            for hour in SNAPSHOT_HOURS
        ]
        return [
            Request(
                self.name,
                f"historical/sports/{sport}/odds?date={moment:%Y-%m-%dT%H:%M:%SZ}&{self._what()}",
                HISTORICAL_FACTOR * self._odds_cost,
            )
            for moment in moments
            for sport in self._competitions
        ]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Nothing, because replies have one page."""
        del request, body
        return []

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read prices, a snapshot of them, scores or events. Raises PayloadRejected when the body is none of these."""
        found = decode(body, request.endpoint)
        what = SPORT.search(request.endpoint)
        kind = "events" if what is None else what["what"]
        snapshot_at: datetime | None = None
        if request.endpoint.startswith("historical/") or (isinstance(found, dict) and "data" in found):
            events = match_list(found, "data", request.endpoint)
            try:
                snapshot_at = Fields(found).moment("timestamp")
            except FieldInvalid as problem:
                raise PayloadRejected(f"{request.endpoint}: {problem}: {shown(problem.value)}") from None
        else:
            events = match_list(found, None, request.endpoint)

        def read(event: Fields, row: Row) -> None:
            kickoff = self._read_event(event, row, snapshot_at)
            if kind == "odds":
                _read_bookmakers(event, row, kickoff, snapshot_at)
            elif kind == "scores":
                _read_score(event, row, kickoff)

        return read_rows(events, read)

    def _read_event(self, event: Fields, row: Row, snapshot_at: datetime | None) -> datetime:
        row.match_id = event.identifier("id")
        competition = event.code(
            "sport_key", self._competitions, "unknown_competition",
            "no competition of the_odds_api in config/sources.yaml",
        )  # fmt: skip
        kickoff = event.moment("commence_time")
        home, away = event.teams("home_team", "away_team")
        row.fixture = {
            "competition": competition,
            "home_team": home,
            "away_team": away,
            "kickoff_on": uk_day(kickoff),
            "kickoff_at": kickoff,
            "is_kickoff_time_known": True,
            "status": "scheduled",
            "published_at": snapshot_at or kickoff - FIXTURE_NOTICE,
        }
        return kickoff

    def _what(self) -> str:
        markets, regions = ",".join(self._markets), ",".join(self._regions)
        return f"dateFormat=iso&markets={markets}&oddsFormat=decimal&regions={regions}"

    @property
    def _odds_cost(self) -> int:
        return len(self._regions) * len(self._markets)


def _read_bookmakers(event: Fields, row: Row, kickoff: datetime, snapshot_at: datetime | None) -> None:
    """Read all quotes of an event. A bad entry rejects only its own bookmaker or market."""
    home, away = event.text("home_team"), event.text("away_team")
    for index, item in enumerate(row.optional(lambda: event.items("bookmakers")) or []):
        place = f"bookmakers[{index}]"
        try:
            bookmaker = as_object(item, place)
            key, markets = bookmaker.text("key"), bookmaker.items("markets")
        except FieldInvalid as problem:
            row.reject("price", problem)
            continue
        for number_of_market, entry in enumerate(markets):
            at = f"{key}.markets[{number_of_market}]"
            try:
                market = as_object(entry, at)
                dated = market if market.find("last_update") is not None else bookmaker
                quoted_at = dated.moment("last_update")
                quotes = _quotes(market, home, away)
            except FieldInvalid as problem:
                row.reject("price", problem)
                continue
            for name, line, offered in quotes:
                add_quote(
                    row, f"{at}.{market.find('key')}", bookmaker=key, market=name, line=line, offered=offered,
                    quoted_at=quoted_at, published_at=snapshot_at or quoted_at, kickoff_at=kickoff,
                )  # fmt: skip


def _quotes(market: Fields, home: str, away: str) -> list[tuple[str, object, dict[str, object]]]:
    """Market, line and prices: one quote for h2h, else one per point. Raises FieldInvalid for an unknown outcome."""
    key = market.text("key")
    if key in PASSED_OVER:
        return []
    names = {
        "h2h": ("1x2", {home: "price_home", "Draw": "price_draw", away: "price_away"}),
        "totals": ("over_under", {"Over": "price_over", "Under": "price_under"}),
        "spreads": ("asian_handicap", {home: "price_home", away: "price_away"}),
    }
    if key not in names:
        raise FieldInvalid(market.path("key"), key, f"not one of {', '.join(names)}", "unknown_market")
    name, outcomes = names[key]
    by_line: dict[object, dict[str, object]] = {}
    for index, item in enumerate(market.items("outcomes")):
        outcome = as_object(item, market.path(f"outcomes[{index}]"))
        ours = outcome.code("name", outcomes, "outcome_unknown", f"not one of {', '.join(outcomes)}")
        line: float | None = 0.0
        if key != "h2h":
            line = number(outcome.find("point"))
        if line is not None and key == "spreads" and ours == "price_away":
            # Each side carries its own handicap; the quote's line is that of the home side.
            line = -line
        prices = by_line.setdefault(line, dict.fromkeys(outcomes.values()))
        if prices[ours] is not None:
            reason = "the outcome appears twice with the same point"
            raise FieldInvalid(outcome.path("name"), outcome.find("name"), reason, "duplicate_quote")
        prices[ours] = outcome.find("price")
    return [(name, line, prices) for line, prices in by_line.items()]


def _read_score(event: Fields, row: Row, kickoff: datetime) -> None:
    """Read the status, and the score if the match is completed."""
    assert row.fixture is not None
    completed = event.find("completed")
    if not isinstance(completed, bool):
        raise FieldInvalid("completed", completed, "true or false was expected", "unknown_status")
    if not completed:
        row.fixture["status"] = "in_play" if event.find("scores") is not None else "scheduled"
        return
    row.fixture["status"] = "played"
    goals = row.optional(lambda: _goals(event))
    if goals is not None:
        published = row.optional(lambda: event.moment("last_update"))
        row.score = {"home_goals": goals[0], "away_goals": goals[1], "published_at": published}


def _goals(event: Fields) -> tuple[int, int]:
    found: dict[str, int] = {}
    names = {name: name for name in event.teams("home_team", "away_team")}
    for index, item in enumerate(event.items("scores")):
        entry = as_object(item, f"scores[{index}]")
        team = entry.code("name", names, "outcome_unknown", f"not one of {', '.join(names)}")
        goals = entry.count("score", MOST_GOALS)
        if goals is None or team in found:
            raise FieldInvalid(entry.path("score"), entry.find("score"), "one score per team was expected")
        found[team] = goals
    home, away = names
    if len(found) != len(names):
        raise FieldInvalid("scores", event.find("scores"), "the score of a side is missing", "score_missing")
    return found[home], found[away]


def _error(reply: RawReply) -> tuple[str | None, str]:
    """`error_code` and message of an error body; None and a message when there is no code."""
    if reply.status == httpx.codes.OK and b'"error_code"' not in reply.body[:2000]:
        return None, ""
    try:
        said = decode(reply.body, "error")
    except PayloadRejected:
        return None, f"status {reply.status}"
    if not isinstance(said, dict):
        return None, f"status {reply.status}"
    code = said.get("error_code")
    return code if isinstance(code, str) else None, quoted_message(
        said.get("message") or f"status {reply.status}"
    )
