"""Quality reports of the models, as the step `report_models` wrote them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import httpx
from anyio import to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from touchline.database.queries import query
from touchline.registry.tracking import tracking_uri
from touchline.serving.database import Row
from touchline.serving.http import CarefulRoute
from touchline.serving.kept import KEPT_PAGE
from touchline.serving.pages import below
from touchline.serving.problems import RETRY_AFTER
from touchline.serving.shared import serving_of
from touchline.settings import Settings

ANSWER_SECONDS: Final = 10.0

router = APIRouter(include_in_schema=False, route_class=CarefulRoute)


def reports_folder(settings: Settings) -> Path:
    """Where the machine that makes the reports keeps them."""
    return settings.home / "reports" / "models"


async def reports(request: Request) -> list[Row]:
    """The days that have a report, the latest first. Raises DatabaseUnavailable."""
    serving = serving_of(request)
    return await serving.reader.rows(query("serving/sql/model_reports"), (await serving.moment()).as_of)


@router.get("/models/reports/{day}")
async def model_report(request: Request, day: date) -> HTMLResponse:
    """The quality report of a day, from this machine's folder where it is there, else from MLflow.

    On a cluster the worker that wrote it has a home of its own, which the API does not see.
    """
    row = next((each for each in await reports(request) if each["report_on"] == day), None)
    if row is None:
        raise HTTPException(404, f"there is no quality report of {day}; /models lists the days that have one")
    settings = serving_of(request).settings
    kept = reports_folder(settings) / f"{day}.html"
    try:
        html = await to_thread.run_sync(kept.read_text)
    except OSError:
        html = await _from_mlflow(settings, row["mlflow_run_id"], kept.name)
    return HTMLResponse(below(request, html), headers=dict(KEPT_PAGE))


async def _from_mlflow(settings: Settings, run_id: str, name: str) -> str:
    address = tracking_uri(settings).rstrip("/")
    try:
        async with httpx.AsyncClient(timeout=ANSWER_SECONDS) as client:
            reply = await client.get(f"{address}/get-artifact", params={"run_uuid": run_id, "path": name})
        return reply.raise_for_status().text
    except httpx.HTTPError as error:
        raise HTTPException(
            503,
            f"the report is in MLflow's run {run_id}, and MLflow does not give it ({error}): see `touchline status`",
            headers=RETRY_AFTER,
        ) from error
