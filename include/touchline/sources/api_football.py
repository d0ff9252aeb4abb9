"""API-Football v3: fixtures with every status a match can have, results, and prices by fixture, page by page.

Formats: https://www.api-football.com/documentation-v3. Errors come with status 200, in the field `errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import httpx

from touchline.errors import PayloadRejected
from touchline.sources import seasons
from touchline.sources.configuration import SourceConfiguration
from touchline.sources.football_data_uk.addresses import uk_day
from touchline.sources.http import Allowance, ProviderClient, RawReply, Verdict, judge_status
from touchline.sources.json_body import (
    MOST_PENALTIES,
    FieldInvalid,
    Fields,
    as_object,
    decode,
    match_list,
    quoted_message,
)
from touchline.sources.match_rows import FIXTURE_NOTICE, Row, read_rows
from touchline.sources.prices import add_quote, number, overround
from touchline.sources.source import Announced, Kind, NoReply, Observations, Reply, Request

KEY_SETTING: Final = "TOUCHLINE_API_FOOTBALL_KEY"
# The limit is on calls per minute, but the provider does not say when the minute ends.
SECONDS_AFTER_TOO_MANY: Final = 60.0
# Results carry no time of publication; they are taken to be public three hours after kick-off.
RESULT_DELAY: Final = timedelta(hours=3)
# A season of prices has some 40 pages; a damaged total must not become a flood of requests.
MOST_PAGES: Final = 200
STATUSES: Final = {
    **dict.fromkeys(("TBD", "NS"), "scheduled"),
    **dict.fromkeys(("1H", "HT", "2H", "ET", "BT", "P", "LIVE"), "in_play"),
    **dict.fromkeys(("SUSP", "INT"), "suspended"),
    **dict.fromkeys(("FT", "AET", "PEN"), "played"),
    "PST": "postponed", "CANC": "cancelled", "ABD": "abandoned",
    **dict.fromkeys(("AWD", "WO"), "awarded"),
}  # fmt: skip
# Rounds of a league are numbered, also those of its groups after a split; ties between divisions are not.
LEAGUE_ROUND: Final = re.compile(r"Regular Season|.* - [0-9]{1,2}")
MATCH_WINNER: Final = "Match Winner"
WINNERS: Final = {"Home": "price_home", "Draw": "price_draw", "Away": "price_away"}
WITH_LINE: Final = {
    "Goals Over/Under": ("over_under", {"Over": "price_over", "Under": "price_under"}),
    "Asian Handicap": ("asian_handicap", {"Home": "price_home", "Away": "price_away"}),
}
VALUE: Final = re.compile(r"(?P<side>[A-Za-z]+)(?: (?P<line>[+-]?[0-9]{1,3}(?:\.[0-9]{1,2})?))?")
PAGE: Final = re.compile(r"([?&]page=)1(?=&|$)")


class ApiFootballDialect:
    """API-Football's dialect: the key in a header, errors in the body of a 200, calls and credits in headers."""

    key_header: str | None = "x-apisports-key"
    key_parameter: str | None = None

    def judge(self, reply: RawReply) -> Verdict:
        """What a reply means."""
        if reply.status == httpx.codes.NO_CONTENT:
            return Verdict("not_offered", "status 204")
        # 499 is the provider's own time-out.
        if reply.status == 499:
            return Verdict("again", "status 499")
        errors = _errors(reply)
        message = "; ".join(
            f"{quoted_message(name)}: {quoted_message(text)}" for name, text in errors.items()
        )
        if reply.status == httpx.codes.TOO_MANY_REQUESTS or "rateLimit" in errors:
            return Verdict("again", message or f"status {reply.status}", SECONDS_AFTER_TOO_MANY)
        if "requests" in errors:
            # The quota is renewed at midnight UTC. Only the caller's clock knows which midnight that is.
            return Verdict("quota_spent", message)
        if (
            reply.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
            or {"token", "key"} & errors.keys()
        ):
            return Verdict("refused", f"{message or f'status {reply.status}'}; correct {KEY_SETTING}")
        if errors:
            return Verdict("refused", message)
        return judge_status(reply)

    def allowance(self, reply: RawReply) -> Allowance:
        """Calls left in this minute, and credits left of this day."""
        return Allowance(
            remaining_calls=_left(reply, "x-ratelimit-remaining"),
            remaining_credits=_left(reply, "x-ratelimit-requests-remaining"),
        )


class ApiFootball:
    """One request per competition and season for fixtures and scores; prices come in pages."""

    name = "api_football"
    ignored: Sequence[str] = ()

    def __init__(self, configuration: SourceConfiguration, client: ProviderClient) -> None:
        self._leagues = dict(configuration.competitions)
        self._competitions = {theirs: ours for ours, theirs in configuration.competitions.items()}
        self._client = client

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """The current season of every competition, and the first page of its prices."""
        today = uk_day(as_of)
        found = list(self.backfill(kinds, today, today))
        if "odds" in kinds:
            found += [
                Request(
                    self.name, f"odds?league={league}&page=1&season={seasons.start_year_of(competition, today)}"
                )
                for competition, league in self._leagues.items()
            ]  # fmt: skip
        return found

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """Ask; raises SourceUnavailable."""
        del as_of
        return self._client.get(request, validators)

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """Every season that the days touch, oldest first. Prices of past matches are not available."""
        if not {"fixtures", "scores"} & set(kinds):
            return []
        wanted = seasons.codes_by_season(self._leagues, start, end)
        return [Request(self.name, f"fixtures?league={league}&season={year}") for year, league in wanted]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Pages 2 to the last, from the total that the first page gives."""
        if PAGE.search(request.endpoint) is None:
            return []
        try:
            found = decode(body, request.endpoint)
            last = Fields(found).count("paging.total", MOST_PAGES) if isinstance(found, dict) else None
        except (PayloadRejected, FieldInvalid):
            return []
        return [
            Request(request.source, PAGE.sub(rf"\g<1>{page}", request.endpoint), request.cost)
            for page in range(2, (last or 1) + 1)
        ]

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read fixtures or prices. Raises PayloadRejected when the body is neither."""
        items = match_list(decode(body, request.endpoint), "response", request.endpoint)
        return read_rows(
            items, self._read_odds if request.endpoint.startswith("odds") else self._read_fixture
        )

    def _competition(self, item: Fields) -> str:
        reason = "no competition of api_football in config/sources.yaml"
        return item.code("league.id", self._competitions, "unknown_competition", reason)

    def _read_fixture(self, item: Fields, row: Row) -> None:
        row.match_id = item.identifier("fixture.id")
        competition = self._competition(item)
        kickoff = item.moment("fixture.date")
        home, away = item.teams("teams.home.name", "teams.away.name")
        row.about = Announced(competition, kickoff, home, away)
        status = item.code(
            "fixture.status.short", STATUSES, "unknown_status", f"not one of {', '.join(STATUSES)}"
        )
        start_year = row.optional(lambda: item.year("league.season"))
        row.fixture = {
            "competition": competition,
            "season": None if start_year is None else seasons.label_of(competition, start_year),
            "home_team": home,
            "away_team": away,
            "kickoff_on": uk_day(kickoff),
            "kickoff_at": kickoff,
            "is_kickoff_time_known": item.find("fixture.status.short") != "TBD",
            "status": status,
            "stage": row.optional(lambda: _stage(item)),
            "published_at": kickoff - FIXTURE_NOTICE,
        }
        if status in ("played", "awarded"):
            score = row.optional(lambda: _score(item, row, is_played=status == "played"))
            row.score = None if score is None else {**score, "published_at": kickoff + RESULT_DELAY}

    def _read_odds(self, item: Fields, row: Row) -> None:
        """Quotes of one fixture, which is named only by its id. Markets that we do not use are ignored."""
        row.match_id = item.identifier("fixture.id")
        self._competition(item)
        kickoff, updated = item.moment("fixture.date"), item.moment("update")
        for index, bookmaker in enumerate(item.items("bookmakers")):
            place = f"bookmakers[{index}]"
            try:
                offering = as_object(bookmaker, place)
                name, bets = offering.text("name"), offering.items("bets")
            except FieldInvalid as problem:
                row.reject("price", problem)
                continue
            for number_of_bet, entry in enumerate(bets):
                at = f"{name}.bets[{number_of_bet}]"
                try:
                    bet = as_object(entry, at)
                    kind, quotes = bet.text("name"), _quotes(bet, row)
                except FieldInvalid as problem:
                    row.reject("price", problem)
                    continue
                for market, line, offered in quotes:
                    add_quote(
                        row, f"{at}.{kind}", bookmaker=name, market=market, line=line, offered=offered,
                        quoted_at=updated, published_at=updated, kickoff_at=kickoff,
                    )  # fmt: skip


def _stage(item: Fields) -> str | None:
    if item.find("league.round") is None:
        return None
    return "league" if LEAGUE_ROUND.fullmatch(item.text("league.round")) else "play_off"


Quote = tuple[str, float, Mapping[str, object]]


def _score(item: Fields, row: Row, *, is_played: bool) -> dict[str, object] | None:
    """Goals after ninety minutes, in extra time alone and in the shoot-out; None for an awarded match without them."""
    goals = item.pair("score.fulltime")
    if goals is None:
        if is_played:
            raise FieldInvalid("score.fulltime", None, "a finished match has a score", "score_missing")
        return None
    half = row.optional(lambda: item.pair("score.halftime"))
    extra = row.optional(lambda: item.pair("score.extratime"))
    shot = row.optional(lambda: item.pair("score.penalty", MOST_PENALTIES))
    has_referee = item.find("fixture.referee") is not None
    referee = row.optional(lambda: item.text("fixture.referee")) if has_referee else None
    (home, away), (half_home, half_away) = goals, half or (None, None)
    (extra_home, extra_away), (shot_home, shot_away) = extra or (None, None), shot or (None, None)
    return {
        "home_goals": home, "away_goals": away, "home_goals_half_time": half_home, "away_goals_half_time": half_away,
        "home_goals_extra_time": extra_home, "away_goals_extra_time": extra_away, "home_penalties": shot_home,
        "away_penalties": shot_away, "referee": referee,
    }  # fmt: skip


def _quotes(bet: Fields, row: Row) -> list[Quote]:
    """Market, line and prices, if the bet is on one of our markets; empty otherwise."""
    name = bet.text("name")
    if name != MATCH_WINNER and name not in WITH_LINE:
        return []
    market, sides = ("1x2", WINNERS) if name == MATCH_WINNER else WITH_LINE[name]
    found: dict[str, dict[float, object]] = {side: {} for side in sides.values()}
    for index, value in enumerate(bet.items("values")):
        try:
            entry = as_object(value, bet.path(f"values[{index}]"))
            side, line = _side_and_line(entry, sides, has_line=name != MATCH_WINNER)
            if line in found[side]:
                _refuse_second(entry)
        except FieldInvalid as problem:
            row.reject("price", problem)
        else:
            found[side][line] = entry.find("odd")
    if market == "1x2":
        prices = {side: found[side].get(0.0) for side in found}
        return [("1x2", 0.0, prices)] if any(found.values()) else []
    (first, one), (second, other) = found.items()
    pairs = _pairs(one, other, may_mirror=market == "asian_handicap")
    return [(market, line, {first: a, second: b}) for line, (a, b) in pairs.items()]


def _side_and_line(entry: Fields, sides: Mapping[str, str], *, has_line: bool) -> tuple[str, float]:
    said = entry.find("value")
    found = VALUE.fullmatch(said) if isinstance(said, str) else None
    if found is None or found["side"] not in sides or (found["line"] is not None) != has_line:
        reason = f"not {', '.join(sides)}" + (" with a line, as in Over 2.5" if has_line else "")
        raise FieldInvalid(entry.path("value"), said, reason, "outcome_unknown")
    return sides[found["side"]], float(found["line"] or 0) + 0.0


def _refuse_second(entry: Fields) -> None:
    reason = "the outcome appears twice in this bet"
    raise FieldInvalid(entry.path("value"), entry.find("value"), reason, "duplicate_quote")


def _pairs(
    first: Mapping[float, object], second: Mapping[float, object], *, may_mirror: bool
) -> dict[float, tuple[object, object]]:
    """Prices of both sides by line; None where a side is missing.

    The away side's handicap may be written as the home side's (Home -0.5 with Away -0.5) or as its own (Away +0.5).
    Both occur, and nothing says which. We take the reading under which more lines find their partner. If that does
    not decide, we take the one with the more similar overrounds, and if both are equal, the first.
    """
    mirrored = {-line + 0.0: price for line, price in second.items()}
    readings = [second, mirrored] if may_mirror else [second]

    def disagreement(other: Mapping[float, object]) -> tuple[int, float]:
        both = first.keys() & other.keys()
        numbers = [(number(first[line]), number(other[line])) for line in both]
        sums = [overround({"one": a, "other": b}) for a, b in numbers if a and b and a > 0 and b > 0]
        return -len(both), max(sums) - min(sums) if sums else 0.0

    chosen = min(readings, key=disagreement)
    return {line: (first.get(line), chosen.get(line)) for line in dict.fromkeys([*first, *chosen])}


def _errors(reply: RawReply) -> dict[str, Any]:
    """The `errors` of a body by name; empty when there are none, or the body is not a JSON object."""
    try:
        said = decode(reply.body, "errors")
    except PayloadRejected:
        return {}
    errors = said.get("errors") if isinstance(said, dict) else None
    if isinstance(errors, list):
        return {"errors": errors} if errors else {}
    return dict(errors) if isinstance(errors, dict) else {}


def _left(reply: RawReply, header: str) -> int | None:
    text = reply.headers.get(header, "")
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
