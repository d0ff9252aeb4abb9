"""Pages of the models: how their predictions scored, and what they are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from touchline.database.queries import query
from touchline.serving import parameters, schemas
from touchline.serving.chart import SIDES
from touchline.serving.charts import Chart, line_chart
from touchline.serving.database import Row
from touchline.serving.http import CarefulRoute
from touchline.serving.lists import MOST_PER_PAGE
from touchline.serving.model_reports import reports
from touchline.serving.pages import shown
from touchline.serving.problems import refused_parameter
from touchline.serving.record_routes import CALIBRATION, CARD_WORDS, MODEL_CARD, MODELS, TRACK_RECORD
from touchline.serving.shared import serving_of

# Limits of the bands of a favourite's probability.
LIMITS: Final = (0.4, 0.5, 0.6, 0.7)
BANDS: Final = ("below 40 %", "40 to 50 %", "50 to 60 %", "60 to 70 %", "70 % and more")
# A month with fewer matches says nothing, and would stretch a chart.
FEWEST_OF_MONTH: Final = 10

router = APIRouter(include_in_schema=False, route_class=CarefulRoute)


@router.get("/track-record")
async def track_record_page(
    request: Request,
    role: Annotated[schemas.Role, Query()] = "champion",
    # A form sends what is not chosen as an empty text.
    forecast: str = "",
    competition: str = "",
    season: str = "",
) -> HTMLResponse:
    """How settled predictions scored: by competition, month and confidence.

    A champion's are all shown together, whatever made them. Of other roles one forecast is shown, since several of
    them forecast the same matches.
    """
    serving = serving_of(request)
    choices = await serving.reader.rows(query("serving/sql/record_choices"))
    names = await serving.competitions()
    for name, value in (("forecast", forecast), ("competition", competition), ("season", season)):
        known = list(dict.fromkeys(row[name] for row in choices))
        if value and value not in known:
            told = f"the known ones are {', '.join(known)}" if known else "nothing is settled yet"
            raise refused_parameter(name, value, f"there is no {name} {value[:40]!r} here; {told}")
    forecasts, competitions, seasons = (
        list(dict.fromkeys(row[name] for row in choices if row["role"] == role))
        for name in ("forecast", "competition", "season")
    )
    if role != "champion" and not forecast:
        forecast = next(iter(forecasts), "")
    found = await _parts(request, role, forecast, competition, season)
    return await shown(
        request,
        "track_record.html",
        role=role,
        forecast=forecast,
        competition=competition,
        season=season,
        roles=get_args(schemas.Role),
        forecasts=forecasts,
        competitions={code: names.get(code, code) for code in sorted(competitions)},
        seasons=sorted(seasons, reverse=True),
        bands=BANDS,
        total=next((row for row in found if _is_total(row)), None),
        by_competition=[row for row in found if row["competition"]],
        by_month=[row for row in found if row["month"]],
        by_confidence=[row for row in found if row["confidence"] is not None],
        chart=_by_month(found),
    )


@router.get("/models")
async def models_page(request: Request, version: parameters.Version = None) -> HTMLResponse:
    """The models: their scores against the market, who was champion when, and the card of a version."""
    serving = serving_of(request)
    reader, as_of = serving.reader, (await serving.moment()).as_of
    models = await MODELS.read(reader, MOST_PER_PAGE)
    champion = next((each for each in models if each.role == "champion"), None)
    chosen = next((each for each in models if each.model_version == version), None) if version else champion
    if version and chosen is None:
        told = ", ".join(dict.fromkeys(each.model_version for each in models)) or "none"
        raise HTTPException(404, f"no version {version} has predicted; those that have: {told}")
    tenths: Sequence[schemas.CalibrationTenth] = []
    card = None
    if champion is not None:
        tenths = await CALIBRATION.read(reader, MOST_PER_PAGE, "champion", champion.forecast)
    if chosen is not None:
        key = f"{chosen.model_name}/{chosen.model_version}"
        card = await MODEL_CARD.read(reader, key, *CARD_WORDS, as_of)
    found = await _parts(request, "champion")
    return await shown(
        request,
        "models.html",
        models=models,
        champion=champion,
        reliability={side: [each for each in tenths if each.outcome == side] for side in SIDES},
        records=await TRACK_RECORD.read(reader, MOST_PER_PAGE, None, None, "champion", None),
        by_month=[row for row in found if row["month"]],
        chart=_by_month(found),
        reigns=await reader.rows(query("serving/sql/champions"), as_of),
        reports=await reports(request),
        chosen=chosen,
        card=card,
    )


async def _parts(
    request: Request, role: str, forecast: str = "", competition: str = "", season: str = ""
) -> Sequence[Row]:
    chosen: Sequence[Any] = (role, forecast or None, competition or None, season or None)
    return await serving_of(request).reader.rows(query("serving/sql/record_parts"), *chosen, LIMITS)


def _is_total(row: Row) -> bool:
    is_part = row["competition"] or row["month"] or row["confidence"] is not None
    return bool(row["n"]) and not is_part


def _by_month(found: Sequence[Row]) -> Chart | None:
    """Log loss behind the closing market by month, in nats."""
    months = [
        (datetime.strptime(row["month"], "%Y-%m").replace(tzinfo=UTC), row["log_loss_behind_closing"])
        for row in found
        if row["month"] and row["n_with_closing"] >= FEWEST_OF_MONTH
    ]
    return line_chart({"champion": months}, decimals=3)
