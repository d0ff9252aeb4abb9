"""football-data.org v4: fixtures and scores with stable match ids, and one price where the plan has it.

Formats: https://docs.football-data.org/general/v4/match.html and .../overtime.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

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
    decode,
    match_list,
    quoted_message,
)
from touchline.sources.match_rows import Row, read_rows
from touchline.sources.prices import add_quote
from touchline.sources.source import Announced, Kind, NoReply, Observations, Reply, Request

KEY_SETTING: Final = "TOUCHLINE_FOOTBALL_DATA_ORG_KEY"
# The limit is on calls per minute.
LONGEST_WINDOW_SECONDS: Final = 60.0
STATUSES: Final = {
    "SCHEDULED": "scheduled",
    "TIMED": "scheduled",
    "IN_PLAY": "in_play",
    "PAUSED": "in_play",
    "EXTRA_TIME": "in_play",
    "PENALTY_SHOOTOUT": "in_play",
    "FINISHED": "played",
    "SUSPENDED": "suspended",
    "POSTPONED": "postponed",
    "CANCELLED": "cancelled",
    "AWARDED": "awarded",
}
# A league that goes on in groups has matchdays there; a tie of that name, with another division, has none.
GROUPS: Final = ("CHAMPIONSHIP", "RELEGATION", "RELEGATION_ROUND")
STAGES: Final = {
    **dict.fromkeys(("REGULAR_SEASON", "LEAGUE_STAGE", "GROUP_STAGE", "APERTURA", "CLAUSURA"), "league"),
    **dict.fromkeys(
        (
            *GROUPS, "PLAYOFFS", "PLAYOFF_ROUND_1", "PLAYOFF_ROUND_2", "QUALIFICATION", "QUALIFICATION_ROUND_1",
            "QUALIFICATION_ROUND_2", "QUALIFICATION_ROUND_3", "PRELIMINARY_ROUND", "ROUND_1", "ROUND_2", "ROUND_3",
            "ROUND_4", "LAST_64", "LAST_32", "LAST_16", "QUARTER_FINALS", "SEMI_FINALS", "THIRD_PLACE", "FINAL",
        ),
        "play_off",
    ),
}  # fmt: skip
DURATIONS: Final = {name: name for name in ("REGULAR", "EXTRA_TIME", "PENALTY_SHOOTOUT")}
PRICES: Final = {"price_home": "odds.homeWin", "price_draw": "odds.draw", "price_away": "odds.awayWin"}


class FootballDataOrgDialect:
    """football-data.org's dialect: the key and the calls left in headers, reasons in `message` or `error`."""

    key_header: str | None = "X-Auth-Token"
    key_parameter: str | None = None

    def judge(self, reply: RawReply) -> Verdict:
        """What a reply means."""
        if reply.status == httpx.codes.OK:
            return Verdict("answered")
        said = _message(reply)
        message = quoted_message(said)
        if reply.status == httpx.codes.TOO_MANY_REQUESTS:
            asked = re.search(r"[Ww]ait (\d{1,4}) second", said)
            wait = float(asked[1]) if asked else self.allowance(reply).window_ends_in_seconds
            return Verdict("again", message, LONGEST_WINDOW_SECONDS if wait is None else wait)
        if reply.status == httpx.codes.UNAUTHORIZED or (
            reply.status == httpx.codes.BAD_REQUEST and "token" in said.lower()
        ):
            return Verdict("refused", f"{message}; correct {KEY_SETTING}")
        if reply.status == httpx.codes.FORBIDDEN:
            return Verdict(
                "refused",
                f"{message}; the plan does not include this: take the competition out of football_data_org in "
                f"config/sources.yaml, or give the key of a larger plan in {KEY_SETTING}",
            )
        verdict = judge_status(reply)
        if verdict.kind == "refused":
            return Verdict("refused", f"status {reply.status}: {message}")
        return verdict

    def allowance(self, reply: RawReply) -> Allowance:
        """Calls left in this minute, and when it ends."""
        calls = reply.headers.get("x-requests-available-minute", reply.headers.get("x-requestsavailable", ""))
        reset = reply.headers.get("x-requestcounter-reset", "")
        return Allowance(
            remaining_calls=int(calls) if re.fullmatch(r"[0-9]{1,9}", calls) else None,
            window_ends_in_seconds=float(reset) if re.fullmatch(r"[0-9]{1,9}", reset) else None,
        )


class FootballDataOrg:
    """One request per competition and season, which gives both fixtures and scores."""

    name = "football_data_org"
    ignored: Sequence[str] = ()

    def __init__(self, configuration: SourceConfiguration, client: ProviderClient) -> None:
        self._codes = dict(configuration.competitions)
        self._competitions = {theirs: ours for ours, theirs in configuration.competitions.items()}
        self._client = client

    def requests(self, kinds: Sequence[Kind], as_of: datetime) -> Sequence[Request]:
        """The current season of every competition."""
        today = uk_day(as_of)
        return self.backfill(kinds, today, today)

    def fetch(self, request: Request, as_of: datetime, validators: Mapping[str, str]) -> Reply | NoReply:
        """Ask; raises SourceUnavailable."""
        del as_of
        return self._client.get(request, validators)

    def backfill(self, kinds: Sequence[Kind], start: date, end: date) -> Sequence[Request]:
        """Every season that the days touch, oldest first. The provider refuses seasons outside the plan."""
        if not {"fixtures", "scores"} & set(kinds):
            return []
        wanted = seasons.codes_by_season(self._codes, start, end)
        return [Request(self.name, f"competitions/{code}/matches?season={year}") for year, code in wanted]

    def more(self, request: Request, body: bytes) -> Sequence[Request]:
        """Nothing, because a season is one reply."""
        del request, body
        return []

    def parse(self, request: Request, body: bytes) -> Observations:
        """Read any list of matches. Raises PayloadRejected when the body is not one."""
        matches = match_list(decode(body, request.endpoint), "matches", request.endpoint)
        return read_rows(matches, self._read)

    def _read(self, match: Fields, row: Row) -> None:
        row.match_id = match.identifier("id")
        competition = match.code(
            "competition.code", self._competitions, "unknown_competition",
            "no competition of football_data_org in config/sources.yaml",
        )  # fmt: skip
        kickoff = match.moment("utcDate")
        home, away = match.teams("homeTeam.name", "awayTeam.name")
        row.about = Announced(competition, kickoff, home, away)
        status = match.code("status", STATUSES, "unknown_status", f"not one of {', '.join(STATUSES)}")
        published = row.optional(lambda: match.moment("lastUpdated"))
        first_day = row.optional(lambda: match.day("season.startDate"))
        row.fixture = {
            "competition": competition,
            "season": None if first_day is None else seasons.label_of(competition, first_day.year),
            "home_team": home,
            "away_team": away,
            "kickoff_on": uk_day(kickoff),
            "kickoff_at": kickoff,
            "is_kickoff_time_known": match.find("status") != "SCHEDULED",
            "status": status,
            "stage": row.optional(lambda: _stage(match)),
            "published_at": published,
        }
        if status in ("played", "awarded"):
            score = row.optional(lambda: _score(match, row, is_played=status == "played"))
            row.score = None if score is None else {**score, "published_at": published}
        # After kick-off, lastUpdated no longer dates the price, and nobody can bet at it.
        is_priced = any(match.find(place) is not None for place in PRICES.values())
        if status == "scheduled" and is_priced and published is not None:
            offered = {ours: match.find(theirs) for ours, theirs in PRICES.items()}
            add_quote(
                row, "/".join(PRICES.values()), bookmaker=self.name, market="1x2", line=0, offered=offered,
                quoted_at=published, published_at=published, kickoff_at=kickoff,
            )  # fmt: skip


def _stage(match: Fields) -> str | None:
    if match.find("stage") is None:
        return None
    stage = match.code("stage", STAGES, "unknown_stage", f"not one of {', '.join(STAGES)}")
    return "league" if match.find("stage") in GROUPS and match.find("matchday") is not None else stage


def _score(match: Fields, row: Row, *, is_played: bool) -> dict[str, object] | None:
    """Goals after ninety minutes, and what followed; None for an awarded match without a score."""
    duration = match.code(
        "score.duration", DURATIONS, "unknown_duration", f"not one of {', '.join(DURATIONS)}"
    )
    # fullTime of a match with extra time also counts the goals of extra time and of the shoot-out.
    place = "score.fullTime" if duration == "REGULAR" else "score.regularTime"
    goals = match.pair(place)
    if goals is None:
        if is_played:
            raise FieldInvalid(place, None, "a finished match has a score", "score_missing")
        return None
    half = row.optional(lambda: match.pair("score.halfTime"))
    went_on = duration != "REGULAR"
    extra = row.optional(lambda: match.pair("score.extraTime")) if went_on else None
    shot = (
        row.optional(lambda: match.pair("score.penalties", MOST_PENALTIES))
        if duration == "PENALTY_SHOOTOUT"
        else None
    )
    referees = match.find("referees")
    names = (
        [Fields(person) for person in referees if isinstance(person, dict)]
        if isinstance(referees, list)
        else []
    )
    referee = next((person for person in names if person.find("type") == "REFEREE"), None)
    (home, away), (half_home, half_away) = goals, half or (None, None)
    (extra_home, extra_away), (shot_home, shot_away) = extra or (None, None), shot or (None, None)
    return {
        "home_goals": home, "away_goals": away, "home_goals_half_time": half_home, "away_goals_half_time": half_away,
        "home_goals_extra_time": extra_home, "away_goals_extra_time": extra_away, "home_penalties": shot_home,
        "away_penalties": shot_away, "referee": None if referee is None else row.optional(lambda: referee.text("name")),
    }  # fmt: skip


def _message(reply: RawReply) -> str:
    """The provider's words: `message`, or `error`, or nothing."""
    try:
        said = decode(reply.body, "error")
    except PayloadRejected:
        return f"status {reply.status}"
    found = said.get("message") or said.get("error") if isinstance(said, dict) else None
    return str(found) if isinstance(found, str | int) else f"status {reply.status}"
