"""Routes that show predictions."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request, Response

from touchline.database.queries import query
from touchline.serving import market_replies, market_schemas, parameters, schemas
from touchline.serving.http import CarefulRoute
from touchline.serving.lists import Answer, Listing, Record, answering, fields_of, route_of_record
from touchline.serving.parameters import Competition, From, PredictionId, Team, To
from touchline.serving.problems import documented
from touchline.serving.shared import serving_of

DIGESTS_TYPE: Final = "application/x-ndjson"

UPCOMING: Final = Listing(
    "predictions", "serving/sql/upcoming", schemas.UpcomingPrediction,
    {
        "kickoff_at": "timestamptz", "competition": "text", "home_team": "text", "forecast": "text",
        "prediction_id": "uuid",
    },
)  # fmt: skip
MOVES: Final = Listing(
    "moves",
    "serving/sql/moves",
    schemas.Move,
    {"moved_by": "float8", "prediction_id": "uuid"},
    is_descending=True,
)
HISTORY: Final = Listing(
    "predictions", "serving/sql/predictions", schemas.PredictionSummary, {"prediction_id": "uuid"},
    is_descending=True,
)  # fmt: skip
UNPREDICTED: Final = Listing(
    "fixtures", "serving/sql/unpredicted", schemas.UnpredictedFixture,
    {"kickoff_at": "timestamptz", "competition": "text", "home_team": "text", "away_team": "text"},
)  # fmt: skip
PREDICTION: Final = Record("prediction", "serving/sql/prediction", schemas.Prediction)

router = APIRouter(prefix="/v1", route_class=CarefulRoute)


@router.get("/predictions/upcoming", **UPCOMING.documented("predictions"))
async def upcoming_predictions(
    answer: Annotated[Answer, answering(UPCOMING)],
    competition: Competition,
    team: Team,
    since: From = None,
    until: To = None,
    role: Annotated[schemas.Role, Query(description="whose forecasts")] = "champion",
) -> Response:
    """The latest prediction of every fixture ahead, soonest first.

    The champion and the challenger have one prediction per fixture, the baselines one per fixture and forecast.
    """
    return await answer(role, answer.moment.as_of, since, until, competition, team)


@router.get("/predictions/moves", **MOVES.documented("predictions"))
async def prediction_moves(
    answer: Annotated[Answer, answering(MOVES)],
    competition: Competition,
    team: Team,
    since: From = None,
    until: To = None,
) -> Response:
    """How far the champion's word on each fixture ahead is from its last one a day ago, the farthest first.

    Fixtures of which it had said nothing by then are left out.
    """
    return await answer(answer.moment.as_of, since, until, competition, team)


@router.get("/predictions", **HISTORY.documented("predictions"))
async def predictions(
    answer: Annotated[Answer, answering(HISTORY)],
    competition: Competition,
    match_id: Annotated[UUID | None, Query(examples=[schemas.A_MATCH])] = None,
    since: From = None,
    until: To = None,
    role: parameters.Role = None,
    forecast: parameters.Forecast = None,
    model_version: parameters.Version = None,
) -> Response:
    """Every prediction ever made, newest first: of a match, of a model version, or of a time."""
    now = answer.moment.as_of
    return await answer(now, match_id, competition, since, until, role, forecast, model_version)


@router.get("/unpredicted", **UNPREDICTED.documented("predictions"))
async def unpredicted(
    answer: Annotated[Answer, answering(UNPREDICTED)], competition: Competition
) -> Response:
    """Every fixture from the day before to the end of the horizon without a prediction: why, and what to do.

    The reasons are those of the last build. Fixtures predicted since then are left out.
    """
    return await answer(answer.moment.as_of, competition)


@router.get("/predictions/{prediction_id}", **PREDICTION.documented("predictions"))
async def prediction(
    request: Request, prediction_id: PredictionId, fields: str | None = fields_of(schemas.Prediction)
) -> Response:
    """One prediction with its features, its scoreline grid, and what came of it."""
    return await PREDICTION.answer(request, fields, prediction_id)


@router.get(
    "/predictions/{prediction_id}/markets",
    **route_of_record("predictions", market_schemas.PredictionMarkets),
)
async def prediction_markets(request: Request, prediction_id: PredictionId) -> Response:
    """Every market of one prediction, with fair prices."""
    row = await serving_of(request).reader.by_key(query("serving/sql/prediction_grid"), prediction_id)
    if row is None:
        raise HTTPException(404, f"there is no prediction {prediction_id}")
    return await market_replies.answer(request, row)


@router.get(
    "/ledger/digests",
    tags=["predictions"],
    response_class=Response,
    responses={200: {"content": {DIGESTS_TYPE: {"schema": {"type": "string"}}}}, **documented(503)},
)
async def digests(
    request: Request,
    after: Annotated[int, Query(ge=0, lt=2**63, description="only those of more rows than this")] = 0,
) -> Response:
    """Digests of the ledger, oldest first, a line each: whoever keeps them can prove that no row was changed.

    `touchline ledger verify`, or the program in every export of the ledger, compares them with the rows.
    """
    found = await serving_of(request).reader.rows(query("serving/sql/digests"), after)
    return Response("".join(f"{row['line']}\n" for row in found), media_type=DIGESTS_TYPE)
