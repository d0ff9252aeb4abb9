"""The FastAPI application: read-only, versioned under /v1, documented at /docs without the internet."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from touchline import __version__
from touchline.errors import DatabaseUnavailable
from touchline.serving import board, queries, schemas
from touchline.serving.database import Reader
from touchline.serving.measures import Measures
from touchline.settings import Settings

NOT_BUILT = "the warehouse is not built yet: run `make run`, or `touchline collect` and `touchline build`"
Role = Literal["champion", "challenger", "baseline"]
PROBLEMS: dict[int | str, dict[str, Any]] = {503: {"description": "not ready; the reply says what to do"}}


def create_app(settings: Settings, present: Callable[[], datetime]) -> FastAPI:
    """The application for these settings; `present` gives the run clock's present (UTC), read once a request."""
    reader, measures = Reader(settings), Measures()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await reader.close()

    app: FastAPI = FastAPIOffline(
        title="Touchline",
        version=__version__,
        summary="Football forecasts that can prove they did not know the future.",
        description="Read-only. Predictions are written before kick-off and never changed; every reply that shows "
        "football says with `is_simulated` whether it is real.",
        lifespan=lifespan,
    )
    _handle_problems(app)
    _measure(app, measures)
    _add_predictions(app, reader, present)
    _add_operations(app, settings, reader, measures, present)
    return app


def _add_predictions(app: FastAPI, reader: Reader, present: Callable[[], datetime]) -> None:
    @app.get("/v1/predictions/upcoming", tags=["predictions"], responses=PROBLEMS)
    async def upcoming(
        competition: Annotated[str | None, Query(description="code, such as E0")] = None,
        until: Annotated[datetime | None, Query(description="kick-off at or before this time")] = None,
        role: Annotated[Role, Query(description="whose forecasts")] = "champion",
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> schemas.UpcomingPredictions:
        """The latest prediction of every fixture ahead, soonest first."""
        found = await reader.rows(queries.UPCOMING, role, present(), until, competition, limit, offset)
        return schemas.UpcomingPredictions(
            total=found[0]["total"] if found else 0,
            limit=limit,
            offset=offset,
            predictions=[queries.upcoming(row) for row in found],
        )

    @app.get("/v1/predictions/{prediction_id}", tags=["predictions"], responses=PROBLEMS)
    async def prediction(prediction_id: UUID) -> schemas.Prediction:
        """One prediction with its features, its scoreline grid and what came of it."""
        row = await reader.row(queries.PREDICTION, prediction_id)
        if row is None:
            raise HTTPException(404, f"there is no prediction {prediction_id}")
        return queries.prediction(row, await reader.row(queries.OUTCOME, prediction_id))

    @app.get("/v1/matches/{match_id}", tags=["matches"], responses=PROBLEMS)
    async def match(match_id: UUID) -> schemas.Match:
        """One match with its result, quotes and every prediction made of it."""
        row = await reader.row(queries.MATCH, match_id)
        if row is None:
            raise HTTPException(404, f"there is no match {match_id}")
        quotes = await reader.rows(queries.QUOTES, match_id)
        return queries.match(row, quotes, await reader.rows(queries.MATCH_PREDICTIONS, match_id))

    @app.get("/v1/models", tags=["models"], responses=PROBLEMS)
    async def models() -> list[schemas.ModelRecord]:
        """Every model version that has predicted, by forecast, with its track record."""
        found = await reader.rows(queries.MODELS)
        return [schemas.ModelRecord(**{**row, "n_settled": row["n_settled"] or 0}) for row in found]


def _add_operations(
    app: FastAPI,
    settings: Settings,
    reader: Reader,
    measures: Measures,
    present: Callable[[], datetime],
) -> None:
    @app.get("/v1/health/live", tags=["health"])
    async def live() -> schemas.Health:
        """The process runs."""
        return schemas.Health(status="ok")

    @app.get("/v1/health/ready", tags=["health"], responses={503: {"model": schemas.Health}})
    async def ready(response: Response) -> schemas.Health:
        """Predictions can be served: the database answers, is migrated and built, and has predictions."""
        reasons = await _missing(reader)
        if reasons:
            response.status_code = 503
        return schemas.Health(status="not ready" if reasons else "ok", reasons=reasons)

    @app.get("/metrics", tags=["health"])
    async def metrics() -> Response:
        """Prometheus measures."""
        reasons = await _missing(reader)
        state = await reader.row(queries.STATE) if not reasons else None
        n_upcoming = 0
        if state is not None:
            found = await reader.rows(queries.UPCOMING, "champion", present(), None, None, 1, 0)
            n_upcoming = found[0]["total"] if found else 0
        measures.observe_state(
            is_ready=not reasons,
            last_predicted_at=state["last_predicted_at"] if state else None,
            last_step_at=state["last_step_at"] if state else None,
            n_upcoming=n_upcoming,
        )
        return Response(generate_latest(measures.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", include_in_schema=False)
    async def show_board() -> HTMLResponse:
        reasons = await _missing(reader)
        return HTMLResponse(await board.page(settings, reader, reasons, present))


async def _missing(reader: Reader) -> list[str]:
    try:
        state = await reader.row(queries.STATE)
    except DatabaseUnavailable as error:
        return [str(error)]
    except asyncpg.UndefinedTableError:
        return ["the database is not migrated: run `touchline database start`"]
    assert state is not None, "a select without from gives one row"
    if not state["is_built"]:
        return [NOT_BUILT]
    return [] if state["last_predicted_at"] else ["there is no prediction yet: run `make run`"]


def _handle_problems(app: FastAPI) -> None:
    async def unavailable(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, status_code=503)

    async def not_built(_: Request, __: Exception) -> JSONResponse:
        return JSONResponse({"detail": NOT_BUILT}, status_code=503)

    app.add_exception_handler(DatabaseUnavailable, unavailable)
    app.add_exception_handler(asyncpg.UndefinedTableError, not_built)


def _measure(app: FastAPI, measures: Measures) -> None:
    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        # The route's pattern, not the path: ids would make a series each.
        route = getattr(request.scope.get("route"), "path", "unknown")
        measures.requests.labels(route, response.status_code).inc()
        measures.seconds.labels(route).observe(time.perf_counter() - started)
        return response
