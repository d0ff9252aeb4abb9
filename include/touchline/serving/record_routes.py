"""Routes that show how forecasts have done, and how the data stand."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response

from touchline.registry.purpose import INTENDED_USE, LIMITS
from touchline.serving import parameters, schemas
from touchline.serving.http import CarefulRoute
from touchline.serving.lists import Answer, Listing, Record, answering, fields_of
from touchline.serving.parameters import Competition
from touchline.serving.shared import serving_of

MODELS: Final = Listing(
    "models", "serving/sql/models", schemas.ModelRecord,
    {
        "last_predicted_at": "timestamptz", "model_name": "text", "model_version": "text", "forecast": "text",
        "role": "text", "is_simulated": "boolean",
    },
    is_descending=True,
)  # fmt: skip
MODEL_CARD: Final = Record(
    "card of a version", "serving/sql/model_card", schemas.ModelCard, advice="; /v1/models lists those that predict"
)  # fmt: skip
# Of its card, what is the same for every version.
CARD_WORDS: Final = (INTENDED_USE, LIMITS)
TRACK_RECORD: Final = Listing(
    "track_record", "serving/sql/records", schemas.TrackRecord,
    {
        "competition": "text", "season": "text", "role": "text", "forecast": "text", "model_name": "text",
        "is_simulated": "boolean",
    },
)  # fmt: skip
CALIBRATION: Final = Listing(
    "calibration", "serving/sql/calibration", schemas.CalibrationTenth,
    {
        "role": "text", "forecast": "text", "model_name": "text", "is_simulated": "boolean", "outcome": "text",
        "tenth": "int",
    },
)  # fmt: skip
SOURCES: Final = Listing("sources", "serving/sql/source_states", schemas.SourceState, {"source": "text"})
QUALITY: Final = Listing("gates", "serving/sql/quality", schemas.GateState, {"gate": "text"})
FRESHNESS: Final = Listing("freshness", "serving/sql/freshness", schemas.Freshness, {"kind": "text"})

router = APIRouter(prefix="/v1", route_class=CarefulRoute)


@router.get("/models", **MODELS.documented("models"))
async def models(answer: Annotated[Answer, answering(MODELS)]) -> Response:
    """Every model version that has predicted, by forecast, with its scores; the latest prediction first."""
    return await answer()


@router.get("/models/{model_name}/versions/{model_version}/card", **MODEL_CARD.documented("models"))
async def model_card(
    request: Request,
    model_name: parameters.ModelName,
    model_version: parameters.ModelVersion,
    fields: str | None = fields_of(schemas.ModelCard),
) -> Response:
    """The card of a trained version: what it is for and learned from, its held-out scores, and what was decided."""
    key = f"{model_name}/{model_version}"
    as_of = (await serving_of(request).moment()).as_of
    return await MODEL_CARD.answer(request, fields, key, *CARD_WORDS, as_of)


@router.get("/track-record", **TRACK_RECORD.documented("models"))
async def track_record(
    answer: Annotated[Answer, answering(TRACK_RECORD)],
    competition: Competition,
    season: parameters.Season = None,
    role: parameters.Role = None,
    forecast: parameters.Forecast = None,
) -> Response:
    """How settled predictions scored, by forecast, competition and season, beside the closing market."""
    return await answer(competition, season, role, forecast)


@router.get("/calibration", **CALIBRATION.documented("models"))
async def calibration(
    answer: Annotated[Answer, answering(CALIBRATION)],
    role: parameters.Role = None,
    forecast: parameters.Forecast = None,
) -> Response:
    """What forecasts said against what happened, by outcome and tenth of probability."""
    return await answer(role, forecast)


@router.get("/sources", **SOURCES.documented("data"))
async def sources(answer: Annotated[Answer, answering(SOURCES)]) -> Response:
    """Each source's circuit breaker, last answer, last failure, and what is left of its quota."""
    return await answer()


@router.get("/quality", **QUALITY.documented("data"))
async def quality(answer: Annotated[Answer, answering(QUALITY)]) -> Response:
    """The last run of each quality gate."""
    return await answer()


@router.get("/freshness", **FRESHNESS.documented("data"))
async def freshness(answer: Annotated[Answer, answering(FRESHNESS)]) -> Response:
    """When the newest of each kind of fact became known."""
    return await answer()
