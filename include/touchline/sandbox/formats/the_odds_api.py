"""The Odds API v4: events, prices as they move, snapshots of the past, and recent scores.

Shapes follow a captured reply and https://the-odds-api.com/liveapi/guides/v4/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from touchline.sandbox import names
from touchline.sandbox.almanac import SECOND_HALF_SHOWS_AFTER, Almanac, Match, Season
from touchline.sandbox.answer import Answer, Asked, Present, json_answer
from touchline.sandbox.chance import identifier, unit
from touchline.sandbox.formats.the_odds_api_prices import REGIONS, bookmakers_of
from touchline.sandbox.ticks import IN_PLAY_HOURS, LISTED_DAYS, tick_at
from touchline.sources.football_data_uk.addresses import season_start_year
from touchline.sources.simulated import THE_ODDS_API

COMPLETED_AFTER: Final = timedelta(hours=2, minutes=15)
MOST_SCORE_DAYS: Final = 3
SNAPSHOT: Final = timedelta(minutes=5)
HISTORICAL_FACTOR: Final = 10
FIRST_SNAPSHOT: Final = datetime(2020, 6, 6, tzinfo=UTC)
MARKETS: Final = ("h2h", "spreads", "totals")
PATH: Final = re.compile(r"(?P<past>historical/)?sports/(?P<sport>[a-z0-9_]+)/(?P<what>odds|scores|events)")
CODES_PAGE: Final = "https://the-odds-api.com/liveapi/guides/v4/api-error-codes.html"


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = error(status, code, message)


def error(status: int, code: str, message: str) -> Answer:
    """A refusal in the provider's words."""
    page = f"{CODES_PAGE}#{code.lower().replace('_', '-')}"
    return json_answer({"message": message, "error_code": code, "details_url": page}, status)


class TheOddsApi:
    """`codes` maps our competitions to sport keys, `keys` the world's bookmakers to the provider's keys."""

    def __init__(self, almanac: Almanac, codes: Mapping[str, str], keys: Mapping[str, str]) -> None:
        self._almanac = almanac
        self._competitions = {theirs: ours for ours, theirs in codes.items()}
        self._keys = keys

    def answer(self, asked: Asked, present: Present) -> Answer:
        """Events, prices or scores; 401 without a key, 404 for an unknown sport, 422 for a bad parameter."""
        if not asked.has_key:
            return error(401, "MISSING_KEY", "API key is missing")
        found = PATH.fullmatch(asked.path)
        if found is None or (found["past"] and found["what"] != "odds"):
            return json_answer({"message": "Not found"}, 404)
        if found["sport"] not in self._competitions:
            return error(404, "UNKNOWN_SPORT", "Unknown sport")
        answers: dict[str, Callable[[str, Asked, Present], Answer]] = {
            "odds": self._past_odds if found["past"] else self._odds,
            "scores": self._scores,
            "events": self._events,
        }
        try:
            return answers[found["what"]](found["sport"], asked, present)
        except _Refused as refusal:
            return refusal.answer

    def _odds(self, sport: str, asked: Asked, present: Present) -> Answer:
        told, cost = self._prices(sport, asked, present, present.now)
        return json_answer(told, cost=cost)

    def _past_odds(self, sport: str, asked: Asked, present: Present) -> Answer:
        wanted = _moment(asked.query.get("date", ""), "INVALID_HISTORICAL_TIMESTAMP")
        if wanted < FIRST_SNAPSHOT:
            raise _Refused(
                422, "INVALID_HISTORICAL_TIMESTAMP", f"There is no snapshot before {FIRST_SNAPSHOT}"
            )
        at = _snapshot(min(wanted, present.now))
        told, cost = self._prices(sport, asked, present, at)
        body = {
            "timestamp": _iso(at),
            "previous_timestamp": _iso(at - SNAPSHOT),
            "next_timestamp": _iso(at + SNAPSHOT) if at + SNAPSHOT <= present.now else None,
            "data": told,
        }
        return json_answer(body, cost=HISTORICAL_FACTOR * cost)

    def _events(self, sport: str, asked: Asked, present: Present) -> Answer:
        _, matches = self._listed(sport, present.now)
        return json_answer([_event(sport, match, asked) for match in _asked_for(matches, asked)])

    def _scores(self, sport: str, asked: Asked, present: Present) -> Answer:
        days = asked.query.get("daysFrom")
        if days is not None and days not in map(str, range(1, MOST_SCORE_DAYS + 1)):
            raise _Refused(422, "INVALID_SCORES_DAYS_FROM", "Invalid daysFrom parameter")
        now = present.now
        season = self._season(sport, now)
        # Without daysFrom only what is ahead or being played.
        reach = COMPLETED_AFTER if days is None else timedelta(days=int(days))
        matches = [
            match
            for match in ([] if season is None else season.matches)
            if now - reach < match.kickoff_at <= now + timedelta(days=LISTED_DAYS)
        ]
        told = [_score(sport, match, asked, present) for match in _asked_for(matches, asked)]
        return json_answer(told, cost=0 if not told else 1 if days is None else 2)

    def _prices(
        self, sport: str, asked: Asked, present: Present, at: datetime
    ) -> tuple[list[dict[str, Any]], int]:
        """Events with prices at `at`, and what they cost."""
        markets = asked.query.get("markets", "h2h").split(",")
        if not set(markets) <= set(MARKETS):
            raise _Refused(422, "INVALID_MARKET", f"Invalid markets: {asked.query['markets']}")
        if asked.query.get("oddsFormat", "decimal") != "decimal":
            raise _Refused(422, "INVALID_ODDS_FORMAT", "The simulated world quotes decimal prices only")
        chosen, n_regions = self._chosen(asked)
        season, matches = self._listed(sport, at)
        told = []
        for match in _asked_for(matches, asked):
            tick = tick_at(match.kickoff_at, at)
            assert season is not None
            assert tick is not None, "listed matches have a tick"
            books = bookmakers_of(season, match, tick, chosen, markets, present)
            told.append({**_event(sport, match, asked), "bookmakers": books})
        return told, len(markets) * n_regions if told else 0

    def _chosen(self, asked: Asked) -> tuple[dict[str, str], int]:
        """The bookmakers asked for, as code and key, and how many regions they count for."""
        if "bookmakers" in asked.query:
            keys = asked.query["bookmakers"].split(",")
            return {code: key for code, key in self._keys.items() if key in keys}, -(-len(keys) // 10)
        if "regions" not in asked.query:
            raise _Refused(422, "MISSING_REGION", "Missing parameter: regions or bookmakers")
        regions = asked.query["regions"].split(",")
        if not set(regions) <= {"uk", "eu", "us", "us2", "au", "fr", "se"}:
            raise _Refused(422, "INVALID_REGION", f"Invalid regions: {asked.query['regions']}")
        return {code: key for code, key in self._keys.items() if REGIONS[code] in regions}, len(regions)

    def _season(self, sport: str, at: datetime) -> Season | None:
        return self._almanac.season(self._competitions[sport], season_start_year(at.date()), at)

    def _listed(self, sport: str, at: datetime) -> tuple[Season | None, list[Match]]:
        """Matches of the next days and those in play."""
        season = self._season(sport, at)
        if season is None:
            return None, []
        earliest, latest = at - timedelta(hours=IN_PLAY_HOURS), at + timedelta(days=LISTED_DAYS)
        return season, [match for match in season.matches if earliest < match.kickoff_at <= latest]


def event_id(match: Match) -> str:
    """32 hexadecimal digits, the same in every reply."""
    return identifier(THE_ODDS_API, match.name)


def _event(sport: str, match: Match, asked: Asked) -> dict[str, Any]:
    is_unix = asked.query.get("dateFormat") == "unix"
    return {
        "id": event_id(match),
        "sport_key": sport,
        "sport_title": sport.removeprefix("soccer_").replace("_", " ").title(),
        "commence_time": int(match.kickoff_at.timestamp()) if is_unix else _iso(match.kickoff_at),
        "home_team": names.the_odds_api(match.home),
        "away_team": names.the_odds_api(match.away),
    }


def _score(sport: str, match: Match, asked: Asked, present: Present) -> dict[str, Any]:
    event = _event(sport, match, asked)
    home, away = event.pop("home_team"), event.pop("away_team")
    completed_at = match.kickoff_at + COMPLETED_AFTER
    goals: tuple[int, int] | None = None
    updated_at = None
    if present.now >= completed_at:
        updated_at, goals = completed_at, present.goals(THE_ODDS_API, match, completed_at)
    elif present.now >= match.kickoff_at + SECOND_HALF_SHOWS_AFTER:
        updated_at = match.kickoff_at + SECOND_HALF_SHOWS_AFTER
        goals = (match.home_goals_half_time, match.away_goals_half_time)
    elif present.now >= match.kickoff_at:
        updated_at, goals = match.kickoff_at, (0, 0)
    scores = None
    if goals is not None:
        scores = [{"name": home, "score": str(goals[0])}, {"name": away, "score": str(goals[1])}]
        # The order of the two means nothing.
        if unit(THE_ODDS_API, "order", match.name) < 0.5:
            scores.reverse()
    return {
        **event, "completed": present.now >= completed_at, "home_team": home, "away_team": away, "scores": scores,
        "last_update": None if updated_at is None else _iso(updated_at),
    }  # fmt: skip


def _asked_for(matches: list[Match], asked: Asked) -> list[Match]:
    query = asked.query
    if "eventIds" in query:
        wanted = set(query["eventIds"].split(","))
        matches = [match for match in matches if event_id(match) in wanted]
    if "commenceTimeFrom" in query:
        first = _moment(query["commenceTimeFrom"], "INVALID_COMMENCE_TIME_FROM")
        matches = [match for match in matches if match.kickoff_at >= first]
    if "commenceTimeTo" in query:
        last = _moment(query["commenceTimeTo"], "INVALID_COMMENCE_TIME_TO")
        matches = [match for match in matches if match.kickoff_at <= last]
    return matches


def _moment(text: str, code: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _Refused(422, code, f"Invalid time: {text}, expected YYYY-MM-DDTHH:MM:SSZ") from None


def _snapshot(moment: datetime) -> datetime:
    step = int(SNAPSHOT.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // step * step, tz=UTC)


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
