"""football-data.org v4: all matches of a competition's season.

Shapes follow captured replies; https://docs.football-data.org/general/v4/match.html names the states.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from touchline.sandbox import names
from touchline.sandbox.almanac import (
    SECOND_HALF_SHOWS_AFTER,
    Almanac,
    Match,
    Season,
    announced_at,
    simulated_competitions,
)
from touchline.sandbox.answer import Answer, Asked, Present, json_answer
from touchline.sandbox.world import REFEREES
from touchline.sources.football_data_uk.addresses import season_start_year
from touchline.sources.simulated import FOOTBALL_DATA_ORG

FINISHED_AFTER: Final = timedelta(hours=2)
PATH: Final = re.compile(r"competitions/(?P<code>[A-Z0-9]+)/matches")
CRESTS: Final = "https://crests.football-data.org"
RESTRICTED: Final = (
    "The resource you are looking for is restricted. Please pass a valid API token and check your subscription "
    "for permission."
)
MISSING: Final = "The resource you are looking for does not exist."
FILTERS: Final = ("season", "matchday", "status", "dateFrom", "dateTo")


class FootballDataOrg:
    """`codes` maps our competitions to the provider's."""

    def __init__(self, almanac: Almanac, codes: Mapping[str, str]) -> None:
        self._almanac = almanac
        self._competitions = {theirs: ours for ours, theirs in codes.items()}

    def answer(self, asked: Asked, present: Present) -> Answer:
        """Matches; 403 without a token, 404 for a competition or season that is not there, 400 for a bad filter."""
        if not asked.has_key:
            return _error(403, RESTRICTED)
        found = PATH.fullmatch(asked.path)
        if found is None or found["code"] not in self._competitions:
            return _error(404, MISSING)
        year = asked.query.get("season", str(season_start_year(present.now.date())))
        if not re.fullmatch(r"[0-9]{4}", year):
            return _error(400, f"Value '{year}' for filter 'season' is invalid.")
        season = self._almanac.season(self._competitions[found["code"]], int(year), present.now)
        if season is None:
            return _error(404, MISSING)
        return json_answer(_body(found["code"], season, asked.query, present))


def _error(status: int, message: str) -> Answer:
    return json_answer({"message": message, "errorCode": status}, status)


def _body(code: str, season: Season, query: Mapping[str, str], present: Present) -> dict[str, Any]:
    competition = _competition(code, season)
    played = [match for match in season.matches if _status(match, present.now) == "FINISHED"]
    about = {
        "id": season.start_year * 10 + competition["id"] % 10,
        "startDate": f"{season.matches[0].kickoff_at:%Y-%m-%d}",
        "endDate": f"{season.matches[-1].kickoff_at:%Y-%m-%d}",
        "currentMatchday": max((match.matchday for match in played), default=1),
        "winner": None,
    }
    told = [_match(match, competition, about, season, present) for match in season.matches]
    told = _filtered(told, query)
    days = [item["utcDate"][:10] for item in told]
    return {
        "filters": {
            name: query[name].split(",") if name == "status" else query[name]
            for name in FILTERS
            if name in query
        },
        "resultSet": {
            "count": len(told),
            **({"first": min(days), "last": max(days)} if days else {}),
            "played": sum(item["status"] == "FINISHED" for item in told),
        },
        "competition": competition,
        "matches": told,
    }


def _competition(code: str, season: Season) -> dict[str, Any]:
    return {
        "id": 9001 + list(simulated_competitions()).index(season.competition.code),
        "name": season.competition.name.removesuffix(" (simulated)"),
        "code": code,
        "type": "LEAGUE",
        "emblem": f"{CRESTS}/{code}.png",
    }


def _match(
    match: Match, competition: dict[str, Any], about: dict[str, Any], season: Season, present: Present
) -> dict[str, Any]:
    status = _status(match, present.now)
    country = season.competition.country
    return {
        "area": {
            "id": 9000 + ord(country[0]),
            "name": country,
            "code": country[:3].upper(),
            "flag": f"{CRESTS}/{9000 + ord(country[0])}.svg",
        },
        "competition": competition,
        "season": about,
        "id": match.serial,
        "utcDate": _iso(match.kickoff_at),
        "status": status,
        "matchday": match.matchday,
        "stage": "REGULAR_SEASON",
        "group": None,
        "lastUpdated": _iso(_updated_at(match, present.now)),
        "homeTeam": _team(match.home),
        "awayTeam": _team(match.away),
        "score": _score(match, status, present),
        "odds": {"msg": "Activate Odds-Package in User-Panel to retrieve odds."},
        "referees": [] if status == "TIMED" else [_referee(match.referee, country)],
    }


def _status(match: Match, now: datetime) -> str:
    if now < match.kickoff_at:
        return "TIMED"
    return "IN_PLAY" if now < match.kickoff_at + FINISHED_AFTER else "FINISHED"


def _updated_at(match: Match, now: datetime) -> datetime:
    steps = (
        announced_at(match.start_year),
        match.kickoff_at,
        match.kickoff_at + SECOND_HALF_SHOWS_AFTER,
        match.kickoff_at + FINISHED_AFTER,
    )
    return max(step for step in steps if step <= now)


def _score(match: Match, status: str, present: Present) -> dict[str, Any]:
    shown: tuple[int | None, int | None] = (None, None)
    half: tuple[int | None, int | None] = (None, None)
    winner = None
    if present.now >= match.kickoff_at + SECOND_HALF_SHOWS_AFTER:
        # As far as the world knows, the score at half-time stands until the end.
        shown = half = (match.home_goals_half_time, match.away_goals_half_time)
    if status == "FINISHED":
        home, away = present.goals(FOOTBALL_DATA_ORG, match, match.kickoff_at + FINISHED_AFTER)
        shown = (home, away)
        winner = "HOME_TEAM" if home > away else "AWAY_TEAM" if away > home else "DRAW"
    return {"winner": winner, "duration": "REGULAR", "fullTime": _goals(shown), "halfTime": _goals(half)}


def _goals(pair: tuple[int | None, int | None]) -> dict[str, int | None]:
    return {"home": pair[0], "away": pair[1]}


def _team(club: str) -> dict[str, Any]:
    number = 1000 + names.club_number(club)
    return {
        "id": number,
        "name": names.football_data_org(club),
        "shortName": club,
        "tla": names.three_letters(club),
        "crest": f"{CRESTS}/{number}.png",
    }


def _referee(name: str, country: str) -> dict[str, Any]:
    return {"id": 11_000 + REFEREES.index(name), "name": name, "type": "REFEREE", "nationality": country}


def _filtered(told: Sequence[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    kept = list(told)
    if "matchday" in query:
        kept = [item for item in kept if str(item["matchday"]) == query["matchday"]]
    if "status" in query:
        # The provider's SCHEDULED includes matches whose time is final.
        wanted = set(query["status"].split(","))
        wanted |= {"TIMED"} if "SCHEDULED" in wanted else set()
        kept = [item for item in kept if item["status"] in wanted]
    first, last = query.get("dateFrom", ""), query.get("dateTo", "9999")
    return [item for item in kept if first <= item["utcDate"][:10] <= last]


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
