"""Routes that show football: competitions, teams, matches, prices."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response

from touchline.database.queries import query
from touchline.lineage.trace import whose_word_counts
from touchline.serving import market_replies, market_schemas, parameters, schemas
from touchline.serving.http import CarefulRoute
from touchline.serving.lists import Answer, Listing, Record, answering, fields_of, route_of_record
from touchline.serving.parameters import Code, Competition, From, MatchId, Team, To, refuse_unknown
from touchline.serving.shared import serving_of

COMPETITIONS: Final = Listing(
    "competitions", "serving/sql/competitions", schemas.Competition, {"competition": "text"}
)
STANDINGS: Final = Listing(
    "standings", "serving/sql/standings", schemas.Standing, {"position": "int", "team_id": "uuid"}
)
SEASON_AHEAD: Final = Listing(
    "teams", "serving/sql/season_ahead", schemas.SeasonAhead, {"expected_points": "float8", "team_id": "uuid"},
    is_descending=True,
)  # fmt: skip
TEAMS: Final = Listing("teams", "serving/sql/teams", schemas.Team, {"name": "text", "team_id": "uuid"})
MATCHES: Final = Listing(
    "matches", "serving/sql/matches", schemas.MatchSummary, {"kickoff_at": "timestamptz", "match_id": "uuid"}
)
QUOTES: Final = Listing(
    "quotes", "serving/sql/match_odds", schemas.Quote,
    {"market": "text", "line": "float8", "stage": "text", "bookmaker": "text"},
)  # fmt: skip
PRICE_HISTORY: Final = Listing(
    "prices", "serving/sql/price_history", schemas.PricePoint, {"seen_at": "timestamptz", "stage": "text"}
)
MATCH: Final = Record("match", "serving/sql/match", schemas.Match)
FEATURES: Final = Record(
    "champion's prediction of a match", "serving/sql/match_features", schemas.MatchFeatures
)

KNOWN_MATCHES: Final = "select match_id as key from core.match where match_id = any($1::uuid[])"

router = APIRouter(prefix="/v1", route_class=CarefulRoute)


@router.get("/competitions", **COMPETITIONS.documented("matches"))
async def competitions(answer: Annotated[Answer, answering(COMPETITIONS)]) -> Response:
    """Every competition with matches, and how far its results, prices and predictions have come."""
    return await answer()


@router.get("/competitions/{code}/table", **STANDINGS.documented("matches", 404))
async def standings(
    answer: Annotated[Answer, answering(STANDINGS)],
    request: Request,
    code: Code,
    season: parameters.Season = None,
) -> Response:
    """The table of the league stage of a season, of the newest if none is given."""
    await refuse_unknown(request, code)
    return await answer(code, season)


@router.get("/competitions/{code}/season-ahead", **SEASON_AHEAD.documented("matches", 404))
async def season_ahead(
    answer: Annotated[Answer, answering(SEASON_AHEAD)],
    request: Request,
    code: Code,
    season: parameters.Season = None,
) -> Response:
    """How a season may end for each team, the most points expected first; empty where no season is forecast."""
    await refuse_unknown(request, code)
    return await answer(code, season)


@router.get("/teams", **TEAMS.documented("matches"))
async def teams(answer: Annotated[Answer, answering(TEAMS)], competition: Competition) -> Response:
    """Every team, or those of a competition's newest season, by name, with their ratings."""
    return await answer(competition)


@router.get("/matches", **MATCHES.documented("matches"))
async def matches(
    answer: Annotated[Answer, answering(MATCHES)],
    competition: Competition,
    team: Team,
    season: parameters.Season = None,
    since: From = None,
    until: To = None,
    status: Annotated[schemas.Status | None, Query(description="where the match stands")] = None,
) -> Response:
    """Matches, played or ahead, in the order of their kick-offs."""
    return await answer(competition, season, since, until, team, status)


@router.get("/matches/{match_id}", **MATCH.documented("matches"))
async def match(
    request: Request, match_id: MatchId, fields: str | None = fields_of(schemas.Match)
) -> Response:
    """One match with its result, the last quote of every bookmaker, and every prediction made of it."""
    return await MATCH.answer(request, fields, match_id)


@router.get("/matches/{match_id}/odds", **QUOTES.documented("matches", 404))
async def match_odds(
    answer: Annotated[Answer, answering(QUOTES)], request: Request, match_id: MatchId
) -> Response:
    """Of every bookmaker the first quote seen (opening), the last before kick-off (prematch), and the closing one."""
    return await _of_a_match(request, match_id, answer(match_id))


@router.get("/matches/{match_id}/price-history", **PRICE_HISTORY.documented("matches", 404))
async def price_history(
    answer: Annotated[Answer, answering(PRICE_HISTORY)], request: Request, match_id: MatchId
) -> Response:
    """How the market's probabilities of the result moved before kick-off, and where they closed; at most 61 points.

    Prices of months past are kept about once an hour.
    """
    odds = whose_word_counts(serving_of(request).settings)["odds"]
    return await _of_a_match(request, match_id, answer(match_id, answer.moment.as_of, odds))


@router.get("/matches/{match_id}/features", **FEATURES.documented("matches"))
async def match_features(
    request: Request, match_id: MatchId, fields: str | None = fields_of(schemas.MatchFeatures)
) -> Response:
    """The features that the champion's latest prediction of a match was made from, as they were."""
    return await FEATURES.answer(request, fields, match_id, (await serving_of(request).moment()).as_of)


@router.get("/matches/{match_id}/markets", **route_of_record("matches", market_schemas.PredictionMarkets))
async def match_markets(request: Request, match_id: MatchId) -> Response:
    """Every market of the champion's latest prediction of a match, with fair prices."""
    as_of = (await serving_of(request).moment()).as_of
    row = await serving_of(request).reader.by_key(query("serving/sql/last_word"), match_id, as_of)
    if row is None:
        raise HTTPException(404, f"no champion has predicted a match {match_id}: see /v1/matches/{match_id}")
    return await market_replies.answer(request, row)


async def _of_a_match(request: Request, match_id: UUID, listed: Awaitable[Response]) -> Response:
    """A list that belongs to a match. Raises HTTPException when there is none: an empty list does not tell."""
    known = serving_of(request).reader.by_key(KNOWN_MATCHES, match_id)
    match, reply = await asyncio.gather(known, listed)
    if match is None:
        raise HTTPException(404, f"there is no match {match_id}")
    return reply
