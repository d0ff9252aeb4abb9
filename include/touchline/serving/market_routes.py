"""Routes that show the markets of predictions."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Path

from touchline.database.queries import query
from touchline.serving import market_replies, market_schemas, schemas
from touchline.serving.database import Reader
from touchline.serving.present import Present
from touchline.serving.problems import documented
from touchline.serving.state import now


def market_routes(reader: Reader, present: Present) -> APIRouter:
    """The routes under /v1 that read markets."""
    router = APIRouter(prefix="/v1")

    @router.get("/predictions/{prediction_id}/markets", tags=["predictions"], responses=documented(404, 503))
    async def prediction_markets(
        prediction_id: Annotated[UUID, Path(examples=[schemas.A_PREDICTION])],
    ) -> market_schemas.PredictionMarkets:
        """Every market of one prediction, with fair prices."""
        row = await reader.row(query("serving/sql/prediction"), prediction_id)
        if row is None:
            raise HTTPException(404, f"there is no prediction {prediction_id}")
        return market_replies.markets(row)

    @router.get("/matches/{match_id}/markets", tags=["matches"], responses=documented(404, 503))
    async def match_markets(
        match_id: Annotated[UUID, Path(examples=[schemas.A_MATCH])],
    ) -> market_schemas.PredictionMarkets:
        """Every market of the champion's latest prediction of a match, with fair prices."""
        as_of = await now(reader, present)
        row = await reader.row(query("serving/sql/last_word"), match_id, as_of)
        if row is None:
            raise HTTPException(
                404, f"no champion has predicted a match {match_id}: see /v1/matches/{match_id}"
            )
        return market_replies.markets(row)

    return router
