"""Routes for operators: liveness, readiness and measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from touchline.serving import schemas
from touchline.serving.checks import Answer, Services
from touchline.serving.database import Reader
from touchline.serving.http import CarefulRoute
from touchline.serving.measures import Measures
from touchline.serving.present import Present
from touchline.serving.state import State, read_state
from touchline.settings import Settings


def health_routes(
    settings: Settings, reader: Reader, services: Services, measures: Measures, present: Present
) -> APIRouter:
    """Liveness, readiness and Prometheus measures."""
    router = APIRouter(tags=["health"], route_class=CarefulRoute)

    @router.get("/v1/health/live")
    async def live() -> schemas.Liveness:
        """The process runs. The database is not checked, because restarting the API would not repair it."""
        return schemas.Liveness()

    @router.get("/v1/health/ready", responses={503: {"model": schemas.Readiness}})
    async def ready(response: Response) -> schemas.Readiness:
        """Predictions can be served: the database answers, is migrated and built, and holds predictions.

        `degraded` when something is missing from them: fixtures without a prediction, a competition held, facts that
        no source has given, or nothing new for more than a day. `services` says of all that the API rests on whether
        it answers, and how soon. Without the registry what is there is served all the same.
        """
        answers = await services.look()
        state = await read_state(reader, present, settings.horizon_days)
        if state.reasons:
            response.status_code = 503
        return _readiness(state, answers)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        """Prometheus measures of the API: requests and how long they took, by route."""
        return Response(measures.text(), media_type=CONTENT_TYPE_LATEST)

    return router


def _readiness(state: State, answers: Sequence[Answer]) -> schemas.Readiness:
    age = None
    if state.as_of is not None and state.last_predicted_at is not None:
        age = (state.as_of - state.last_predicted_at).total_seconds()
    return schemas.Readiness(
        status="not ready" if state.reasons else "degraded" if state.shortfalls else "ok",
        reasons=list(state.reasons),
        shortfalls=[schemas.Shortfall(**dataclasses.asdict(each)) for each in state.shortfalls],
        warnings=list(state.warnings),
        services=[schemas.ServiceAnswer(**dataclasses.asdict(each)) for each in answers],
        as_of=state.as_of,
        last_predicted_at=state.last_predicted_at,
        prediction_age_seconds=age,
        last_steps=dict(state.last_steps),
    )
