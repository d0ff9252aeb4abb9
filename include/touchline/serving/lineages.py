"""Where predictions came from, asked with the API's own connections and rights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request, Response

from touchline.database.queries import query
from touchline.lineage.report import LEARNED
from touchline.lineage.trace import LineageReport, ask, whose_word_counts
from touchline.serving import lineage_schemas
from touchline.serving.database import Reader, Row
from touchline.serving.formats import JSON
from touchline.serving.http import CarefulRoute
from touchline.serving.kept import tag
from touchline.serving.lists import kept_headers, route_of_record
from touchline.serving.parameters import PredictionId
from touchline.serving.shared import serving_of
from touchline.settings import Settings

router = APIRouter(prefix="/v1", route_class=CarefulRoute)


@router.get("/predictions/{prediction_id}/lineage", **route_of_record("predictions", lineage_schemas.Lineage))
async def prediction_lineage(request: Request, prediction_id: PredictionId) -> Response:
    """What a prediction was made of: results, quotes and the fixture, each with the payload and row it was read from.

    It is what `touchline --json lineage` prints. A correction learned later does not appear.
    """
    serving = serving_of(request)
    report = await lineage_of(serving.reader, serving.settings, prediction_id)
    if report is None:
        raise HTTPException(404, f"there is no prediction {prediction_id}")
    body = lineage_schemas.Lineage.model_validate(vars(report)).model_dump_json().encode()
    headers = kept_headers(await serving.moment()) | {"ETag": tag(body)}
    return Response(body, media_type=JSON, headers=headers)


async def lineage_of(reader: Reader, settings: Settings, prediction_id: UUID) -> LineageReport | None:
    """The lineage of a prediction, None when there is none of this id. Raises DatabaseUnavailable."""
    bounds = {"first_id": prediction_id, "last_id": prediction_id, "limit": 1}
    found = await _rows(reader, "lineage/sql/predictions_by_id", bounds)
    if not found:
        return None
    made = dict(found[0])
    made["features"] = json.loads(made["features"])
    questions = ask(made, whose_word_counts(settings))
    try:
        name, parameters = next(questions)
        while True:
            name, parameters = questions.send(await _rows(reader, f"lineage/sql/{name}", parameters))
    except StopIteration as answered:
        report: LineageReport = answered.value
        return report


async def learned_by(reader: Reader, report: LineageReport) -> Mapping[str, Any] | None:
    """What is known of the training of the version that predicted, None when nothing is."""
    found = await _rows(reader, LEARNED, {"version": report.version})
    return json.loads(found[0]["detail"]) if found else None


async def _rows(reader: Reader, name: str, parameters: Mapping[str, Any]) -> list[Row]:
    """Rows of a query whose parameters have names, which asyncpg does not know."""
    places: dict[str, int] = {}
    text = re.sub(
        r"%\((\w+)\)s", lambda found: f"${places.setdefault(found[1], len(places) + 1)}", query(name)
    )
    return await reader.rows(text.replace("%%", "%"), *(parameters[each] for each in places))
