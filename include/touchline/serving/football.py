"""Routes that show football: predictions, matches, models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from touchline.clock import parse_as_of
from touchline.database.queries import query
from touchline.errors import SettingsInvalid
from touchline.serving import replies, schemas
from touchline.serving.database import Reader
from touchline.serving.present import Present
from touchline.serving.problems import documented
from touchline.serving.state import now
from touchline.settings import Settings

MOST_PER_PAGE = 500
FARTHEST_OFFSET = 1_000_000
DIGESTS_TYPE = "application/x-ndjson"


def _moment(text: object) -> object:
    try:
        return parse_as_of(str(text))
    except SettingsInvalid as error:
        raise PydanticCustomError("moment", "write 2023-03-10 (midnight UTC) or 2023-03-10T18:00Z") from error


Moment = Annotated[datetime, BeforeValidator(_moment)]
CompetitionCode = Annotated[
    str | None, Query(pattern="^[A-Za-z0-9]{1,8}$", description="code of a competition", examples=["E0"])
]


def football_routes(settings: Settings, reader: Reader, present: Present) -> APIRouter:
    """The routes under /v1 that read predictions, matches and models."""
    router = APIRouter(prefix="/v1")

    @router.get("/predictions/upcoming", tags=["predictions"], responses=documented(503))
    async def upcoming_predictions(
        competition: CompetitionCode = None,
        since: Annotated[
            Moment | None,
            Query(alias="from", description="kick-off at or after this (UTC)", examples=["2023-03-10"]),
        ] = None,
        until: Annotated[
            Moment | None,
            Query(alias="to", description="kick-off at or before this (UTC)", examples=["2023-03-17T18:00Z"]),
        ] = None,
        role: Annotated[schemas.Role, Query(description="whose forecasts")] = "champion",
        limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE, description="predictions a page")] = 100,
        offset: Annotated[int, Query(ge=0, le=FARTHEST_OFFSET, description="predictions to skip")] = 0,
    ) -> schemas.UpcomingPredictions:
        """The latest prediction of every fixture ahead, soonest first.

        The champion and the challenger have one prediction per fixture, the baselines one per fixture and forecast.
        """
        as_of = await now(reader, present)
        filters = (role, as_of, since, until, competition)
        counts = await reader.rows(query("serving/sql/upcoming_counts"), *filters)
        if competition is not None and not counts:
            await _refuse_unknown(reader, competition)
        return schemas.UpcomingPredictions(
            as_of=as_of,
            is_simulated=settings.is_simulated,
            total=sum(count["n"] for count in counts),
            limit=limit,
            offset=offset,
            predictions=replies.upcoming(
                await reader.rows(query("serving/sql/upcoming"), *filters, limit, offset)
            ),
        )

    @router.get("/unpredicted", tags=["predictions"], responses=documented(503))
    async def unpredicted(competition: CompetitionCode = None) -> schemas.Unpredicted:
        """Every fixture of the horizon without a prediction: why, where to look, and what to do.

        The reasons are those of the last build. Fixtures predicted since then are left out.
        """
        as_of = await now(reader, present)
        found = await reader.rows(query("serving/sql/unpredicted"), as_of, competition)
        if competition is not None and not found:
            await _refuse_unknown(reader, competition)
        return schemas.Unpredicted(
            as_of=as_of,
            is_simulated=settings.is_simulated,
            fixtures=[schemas.UnpredictedFixture(**row) for row in found],
        )

    @router.get("/predictions/{prediction_id}", tags=["predictions"], responses=documented(404, 503))
    async def prediction(
        prediction_id: Annotated[UUID, Path(examples=[schemas.A_PREDICTION])],
    ) -> schemas.Prediction:
        """One prediction with its features, its scoreline grid, and what came of it."""
        row = await reader.row(query("serving/sql/prediction"), prediction_id)
        if row is None:
            raise HTTPException(404, f"there is no prediction {prediction_id}")
        return replies.prediction(row, await reader.row(query("serving/sql/outcome"), prediction_id))

    @router.get(
        "/ledger/digests",
        tags=["predictions"],
        response_class=Response,
        responses={200: {"content": {DIGESTS_TYPE: {}}}, **documented(503)},
    )
    async def digests(
        after: Annotated[int, Query(ge=0, lt=2**63, description="only those of more rows than this")] = 0,
    ) -> Response:
        """Digests of the ledger, oldest first, a line each: whoever keeps them can prove that no row was changed.

        `touchline ledger verify`, or the program in every export of the ledger, compares them with the rows.
        """
        found = await reader.rows(query("serving/sql/digests"), after)
        return Response("".join(f"{row['line']}\n" for row in found), media_type=DIGESTS_TYPE)

    @router.get("/matches/{match_id}", tags=["matches"], responses=documented(404, 503))
    async def match(match_id: Annotated[UUID, Path(examples=[schemas.A_MATCH])]) -> schemas.Match:
        """One match with its result, the last quote of every bookmaker, and every prediction made of it."""
        row = await reader.row(query("serving/sql/match"), match_id)
        if row is None:
            raise HTTPException(404, f"there is no match {match_id}")
        quotes = await reader.rows(query("serving/sql/quotes"), match_id)
        return replies.match(row, quotes, await reader.rows(query("serving/sql/match_predictions"), match_id))

    @router.get("/models", tags=["models"], responses=documented(503))
    async def models() -> schemas.Models:
        """Every model version that has predicted, by forecast, with its track record."""
        found = await reader.rows(query("serving/sql/models"))
        return schemas.Models(
            is_simulated=settings.is_simulated, models=[schemas.ModelRecord(**row) for row in found]
        )

    @router.get("/sources", tags=["health"], responses=documented(503))
    async def sources() -> schemas.Sources:
        """Each source's circuit breaker, last answer, last failure, and what is left of its quota."""
        found = await reader.rows(query("serving/sql/source_states"))
        return schemas.Sources(
            is_simulated=settings.is_simulated, sources=[schemas.SourceState(**row) for row in found]
        )

    return router


async def _refuse_unknown(reader: Reader, competition: str) -> None:
    found = await reader.rows("select competition from core.competition order by competition")
    known = [row["competition"] for row in found]
    if competition not in known:
        message = f"there is no competition {competition}; the known ones are {', '.join(known)}"
        problem = {
            "type": "value_error",
            "loc": ("query", "competition"),
            "msg": message,
            "input": competition,
        }
        raise RequestValidationError([problem])
