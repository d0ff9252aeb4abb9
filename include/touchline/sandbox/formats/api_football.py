"""API-Football v3: fixtures with scores, and prices by pages of ten fixtures. Errors come with status 200.

Shapes follow captured replies and https://www.api-football.com/documentation-v3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from touchline.sandbox import names
from touchline.sandbox.almanac import SECOND_HALF_SHOWS_AFTER, Almanac, Match, Season
from touchline.sandbox.answer import Answer, Asked, Present, json_answer
from touchline.sandbox.ticks import LAST_BEFORE, LISTED_DAYS, Quote, tick_at, ticked_at
from touchline.sources.simulated import API_FOOTBALL

FINISHED_AFTER: Final = timedelta(hours=2)
SECOND_HALF_AFTER: Final = timedelta(minutes=62)
FIXTURES_A_PAGE: Final = 10
MEDIA: Final = "https://media.api-sports.io"
NO_KEY: Final = (
    "Error/Missing application key. Go to https://www.api-football.com/documentation-v3 to learn how to get your "
    "API application key."
)
PARAMETERS: Final = {
    "fixtures": ("league", "season", "from", "to", "id", "timezone"),
    "odds": ("league", "season", "fixture", "page", "timezone"),
}
BOOKMAKER_IDS: Final = {"PS": 4, "BW": 6, "WH": 7, "B365": 8, "VC": 27}
BETS: Final = {
    "1x2": (1, "Match Winner", ("Home", "Draw", "Away")),
    "over_under": (5, "Goals Over/Under", ("Over 2.5", "Under 2.5")),
}
LONG: Final = {
    "NS": "Not Started", "1H": "First Half", "HT": "Halftime", "2H": "Second Half", "FT": "Match Finished",
}  # fmt: skip


def envelope(asked: Asked, response: Sequence[Any] = (), errors: object = (), total: int = 1) -> Answer:
    """The provider's frame around a response; `errors` is an object when something is wrong."""
    body = {
        "get": asked.path,
        "parameters": dict(asked.query),
        "errors": errors or [],
        "results": len(response),
        "paging": {"current": int(asked.query.get("page", "1")) if not errors else 1, "total": total},
        "response": list(response),
    }
    return json_answer(body, cost=1)


class ApiFootball:
    """`codes` maps our competitions to league ids, `keys` the world's bookmakers to the provider's names."""

    def __init__(self, almanac: Almanac, codes: Mapping[str, str], keys: Mapping[str, str]) -> None:
        self._almanac = almanac
        self._competitions = {theirs: ours for ours, theirs in codes.items()}
        self._keys = keys

    def answer(self, asked: Asked, present: Present) -> Answer:
        """Fixtures or prices; always status 200 below the two endpoints, whatever is wrong."""
        if asked.path not in PARAMETERS:
            return envelope(asked, errors={"endpoint": "This endpoint does not exist."})
        if not asked.has_key:
            return envelope(asked, errors={"token": NO_KEY})
        errors = _check(asked)
        if errors:
            return envelope(asked, errors=errors)
        league, now = asked.query["league"], present.now
        competition = self._competitions.get(league)
        season = competition and self._almanac.season(competition, int(asked.query["season"]), now)
        if not season:
            return envelope(asked)
        if asked.path == "odds":
            return self._odds(asked, season, present)
        first, last = asked.query.get("from", ""), asked.query.get("to", "9999")
        told = [
            _fixture(match, league, season, present)
            for match in season.matches
            if first <= f"{match.kickoff_at:%Y-%m-%d}" <= last
            and asked.query.get("id", str(fixture_id(match))) == str(fixture_id(match))
        ]
        return envelope(asked, told)

    def _odds(self, asked: Asked, season: Season, present: Present) -> Answer:
        """Prices of the matches ahead, ten a page."""
        now = present.now
        ahead = [
            match
            for match in season.matches
            if now < match.kickoff_at <= now + timedelta(days=LISTED_DAYS)
            and asked.query.get("fixture", str(fixture_id(match))) == str(fixture_id(match))
        ]
        total = max(1, -(-len(ahead) // FIXTURES_A_PAGE))
        start = (int(asked.query.get("page", "1")) - 1) * FIXTURES_A_PAGE
        told = [
            self._prices(match, asked.query["league"], season, present)
            for match in ahead[start : start + FIXTURES_A_PAGE]
        ]
        return envelope(asked, told, total=total)

    def _prices(self, match: Match, league: str, season: Season, present: Present) -> dict[str, Any]:
        tick = tick_at(match.kickoff_at, present.now)
        assert tick is not None, "matches ahead are listed"
        assert tick <= LAST_BEFORE, "matches ahead have not begun"
        bets: dict[str, list[dict[str, Any]]] = {}
        for quote in season.ticks.quotes(match.number, tick):
            if quote.market in BETS:
                bets.setdefault(quote.bookmaker, []).append(_bet(match, quote, present))
        league_of = _league(league, season, match)
        del league_of["round"]
        return {
            "league": league_of,
            "fixture": {
                "id": fixture_id(match),
                "timezone": "UTC",
                "date": match.kickoff_at.isoformat(),
                "timestamp": int(match.kickoff_at.timestamp()),
            },
            "update": ticked_at(match.kickoff_at, tick).isoformat(),
            "bookmakers": [
                {"id": BOOKMAKER_IDS[code], "name": self._keys[code], "bets": offered}
                for code, offered in bets.items()
            ],
        }


def fixture_id(match: Match) -> int:
    """The provider's id of a match, the same in every reply."""
    return match.serial + 400_000_000


def _check(asked: Asked) -> dict[str, str]:
    """What the provider has against the parameters."""
    for name in asked.query:
        if name not in PARAMETERS[asked.path]:
            return {name: f"The {name.title()} field do not exist."}
    for name in ("league", "season"):
        if name not in asked.query:
            return {"required": f"The {name.title()} field is required."}
    if not re.fullmatch(r"[0-9]{4}", asked.query["season"]):
        return {"season": "The Season field must contain 4 digits, in the form YYYY."}
    if not re.fullmatch(r"[1-9][0-9]{0,3}", asked.query.get("page", "1")):
        return {"page": "The Page field must contain an integer."}
    return {}


def _bet(match: Match, quote: Quote, present: Present) -> dict[str, Any]:
    number, name, values = BETS[quote.market]
    fact = f"{API_FOOTBALL} price {match.name} {quote.bookmaker} {quote.market}"
    listed_at = match.kickoff_at - timedelta(days=LISTED_DAYS)
    prices = [present.price(fact, quote.prices[0], listed_at), *quote.prices[1:]]
    told = [{"value": value, "odd": f"{price:.2f}"} for value, price in zip(values, prices, strict=True)]
    return {"id": number, "name": name, "values": told}


def _league(league: str, season: Season, match: Match) -> dict[str, Any]:
    return {
        "id": int(league),
        "name": season.competition.name.removesuffix(" (simulated)"),
        "country": season.competition.country,
        "logo": f"{MEDIA}/football/leagues/{league}.png",
        "flag": f"{MEDIA}/flags/{season.competition.country[:2].lower()}.svg",
        "season": season.start_year,
        "round": f"Regular Season - {match.matchday}",
    }


def _fixture(match: Match, league: str, season: Season, present: Present) -> dict[str, Any]:
    short, elapsed = _status(match, present.now)
    home, away, half, full = _goals(match, short, present)
    is_won = short == "FT" and home != away
    start = int(match.kickoff_at.timestamp())
    restart = int((match.kickoff_at + SECOND_HALF_AFTER).timestamp())
    place = match.home.rsplit(" ", 1)[0]
    return {
        "fixture": {
            "id": fixture_id(match),
            "referee": None if short == "NS" else f"{match.referee}, {season.competition.country}",
            "timezone": "UTC",
            "date": match.kickoff_at.isoformat(),
            "timestamp": start,
            "periods": {
                "first": None if short == "NS" else start,
                "second": restart if short in ("2H", "FT") else None,
            },
            "venue": {"id": 700 + names.club_number(match.home), "name": f"{place} Park", "city": place},
            "status": {"long": LONG[short], "short": short, "elapsed": elapsed},
        },
        "league": _league(league, season, match),
        "teams": {
            "home": _team(match.home, winner=home > away if is_won and home is not None else None),
            "away": _team(match.away, winner=away > home if is_won and away is not None else None),
        },
        "goals": {"home": home, "away": away},
        "score": {
            "halftime": {"home": half[0], "away": half[1]},
            "fulltime": {"home": full[0], "away": full[1]},
            "extratime": {"home": None, "away": None},
            "penalty": {"home": None, "away": None},
        },
    }


def _status(match: Match, now: datetime) -> tuple[str, int | None]:
    """Short status and minutes played."""
    since = now - match.kickoff_at
    minutes = int(since / timedelta(minutes=1))
    if since < timedelta(0):
        return "NS", None
    if since < SECOND_HALF_SHOWS_AFTER:
        return "1H", min(minutes, 45)
    if since < SECOND_HALF_AFTER:
        return "HT", 45
    if since < FINISHED_AFTER:
        return "2H", min(minutes - 17, 90)
    return "FT", 90


Pair = tuple[int | None, int | None]


def _goals(match: Match, short: str, present: Present) -> tuple[Any, Any, Pair, Pair]:
    """Goals shown now for either side, at half-time, and after ninety minutes."""
    if short == "NS":
        return None, None, (None, None), (None, None)
    if short == "1H":
        return 0, 0, (None, None), (None, None)
    half = (match.home_goals_half_time, match.away_goals_half_time)
    if short != "FT":
        return *half, half, (None, None)
    full = present.goals(API_FOOTBALL, match, match.kickoff_at + FINISHED_AFTER)
    return *full, half, full


def _team(club: str, *, winner: bool | None) -> dict[str, Any]:
    number = 5000 + names.club_number(club)
    return {
        "id": number,
        "name": names.api_football(club),
        "abbreviation": names.three_letters(club),
        "logo": f"{MEDIA}/football/teams/{number}.png",
        "winner": winner,
    }
