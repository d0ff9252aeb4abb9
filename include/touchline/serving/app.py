"""The FastAPI application: read-only, versioned under /v1, documented at /docs without the internet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from touchline import __version__
from touchline.serving import (
    data_page,
    lineages,
    match_routes,
    model_reports,
    pages,
    prediction_routes,
    record_pages,
    record_routes,
    team_page,
)
from touchline.serving.access import CORS, Access, AccessControl
from touchline.serving.checks import Services
from touchline.serving.database import Reader
from touchline.serving.health import health_routes
from touchline.serving.http import CarefulRoute, HttpConduct
from touchline.serving.kept import KEPT_SECONDS, Kept
from touchline.serving.measures import Measures, RequestMeter
from touchline.serving.present import Present
from touchline.serving.problems import Problem, documented, handle_problems
from touchline.serving.profile_routes import profile_routes
from touchline.serving.shared import Memo, Serving
from touchline.serving.sign_in import sign_in_routes
from touchline.settings import Settings, parts_of

DESCRIPTION = """
Football forecasts that can prove they did not know the future. Read-only, but for the profile of a user.

* Keys are sent as `Authorization: Bearer tl_...`; where reading needs none, the routes under `/v1/me` do.
* A prediction is written before kick-off or not at all, and never changed.
* In every reply that shows football, `is_simulated` says whether the football is invented.
* Times are UTC, probabilities lie between 0 and 1, prices are decimal.
* Errors are problem documents (RFC 9457): `detail` says what is wrong and what to do. A parameter that a route does not
  have is one.
"""
TAGS = [
    {"name": "predictions", "description": "Forecasts of matches, and their outcomes."},
    {"name": "matches", "description": "Fixtures, results and prices."},
    {"name": "models", "description": "The models that predict, and how well they do."},
    {"name": "data", "description": "How the data stand: sources, quality, freshness."},
    {"name": "me", "description": "Of the user who is the key that asks."},
    {"name": "health", "description": "For operators and orchestrators."},
]


# What shows football, to programs and to people; it asks for no key itself.
READING = (
    prediction_routes.router,
    match_routes.router,
    record_routes.router,
    lineages.router,
    pages.router,
    team_page.router,
    record_pages.router,
    model_reports.router,
    data_page.router,
)


def create_app(
    settings: Settings,
    present: Present,
    kept_seconds: float = KEPT_SECONDS,
    measures_folder: Path | None = None,
) -> FastAPI:
    """The application for these settings. `present` gives the run clock's present (UTC).

    Replies, and what every request needs to know, are kept for `kept_seconds`. In `measures_folder` several processes
    count their requests together.
    """
    reader, measures, control = Reader(settings), Measures(measures_folder), AccessControl(settings)
    services = Services(settings, reader)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with control:
            yield
        await services.close()
        await reader.close()

    app: FastAPI = FastAPIOffline(
        title="Touchline",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        # What a generated client calls its functions.
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        # A redirect would name the host that the client wrote.
        redirect_slashes=False,
    )
    app.router.route_class = CarefulRoute
    app.state.serving = Serving(settings, reader, control.store, present, Memo(kept_seconds))
    handle_problems(app)
    # The last one added sees a request first.
    app.add_middleware(Kept, seconds=kept_seconds)
    app.add_middleware(Access, control=control)
    if origins := parts_of(settings.access.origins):
        app.add_middleware(CORSMiddleware, allow_origins=origins, **CORS)
    app.add_middleware(HttpConduct)
    app.add_middleware(RequestMeter, measures=measures)
    for router in (
        *READING,
        profile_routes(control.store),
        sign_in_routes(control, settings),
        health_routes(settings, reader, services, measures, present),
    ):
        app.include_router(router, responses=documented(414, 422))
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]

    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=app.openapi_tags,
        )
        schemas = document["components"]["schemas"]
        schemas["Problem"] = Problem.model_json_schema()
        # FastAPI's own error format, which our routes never use.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema
