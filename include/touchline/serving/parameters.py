"""Parameters that several routes take; each is checked against what there is, and refused with what would be right."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, HTTPException, Path, Query, Request
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from touchline.clock import parse_as_of
from touchline.errors import SettingsInvalid, nearest
from touchline.serving import schemas
from touchline.serving.problems import refused_parameter
from touchline.serving.shared import serving_of


def _moment(text: object) -> object:
    try:
        return parse_as_of(str(text))
    except SettingsInvalid as error:
        raise PydanticCustomError("moment", "write 2023-03-10 (midnight UTC) or 2023-03-10T18:00Z") from error


def _nothing(text: object) -> object:
    return text or None


def _day(text: object) -> object:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        day = date.min
    # Around the ends of the calendar, days have no times in some zones.
    if date.min.year < day.year < date.max.year:
        return day
    raise PydanticCustomError("day", "write 2023-03-10")


async def known_competition(
    request: Request,
    competition: Annotated[
        str | None, Query(pattern="^[A-Za-z0-9]{1,8}$", description="code of a competition", examples=["E0"])
    ] = None,
) -> str | None:
    """The code of a competition; raises RequestValidationError for one that has no matches, with those that have."""
    if competition is not None:
        known = await serving_of(request).competitions()
        if competition not in known:
            told = f"there is no competition {competition}; the known ones are {', '.join(known)}"
            raise refused_parameter("competition", competition, told)
    return competition


async def refuse_unknown(request: Request, code: str) -> None:
    """Raise HTTPException (404) for a competition in the address that has no matches, with those that have."""
    known = await serving_of(request).competitions()
    if code not in known:
        raise HTTPException(404, f"there is no competition {code}; the known ones are {', '.join(known)}")


async def known_team(
    request: Request,
    team: Annotated[
        str | None, Query(max_length=100, description="id of a team, or its name", examples=["Arsenal"])
    ] = None,
) -> UUID | None:
    """The id of a team; raises RequestValidationError for one that is not known, with the nearest name."""
    if team is None:
        return None
    known = await serving_of(request).teams()
    ids = [each for each, name in known.items() if team in (each, name)]
    if len(ids) == 1:
        return UUID(ids[0])
    if ids:
        raise refused_parameter(
            "team", team, f"more than one team has this name: give an id, {' or '.join(ids)}"
        )
    near = nearest(team, list(known.values()))
    raise refused_parameter(
        "team", team, f"there is no such team; {f'did you mean {near}?' if near else '/v1/teams lists them'}"
    )


async def chosen_team(
    request: Request, team: Annotated[str | None, Query(max_length=100)] = None
) -> UUID | None:
    """The same, where a form may have been sent with nothing in it."""
    return await known_team(request, team or None)


Competition = Annotated[str | None, Depends(known_competition)]
Team = Annotated[UUID | None, Depends(known_team)]
Code = Annotated[
    str, Path(pattern="^[A-Za-z0-9]{1,8}$", description="code of a competition", examples=["E0"])
]
MatchId = Annotated[UUID, Path(examples=[schemas.A_MATCH])]
PredictionId = Annotated[UUID, Path(examples=[schemas.A_PREDICTION])]
Season = Annotated[
    str | None,
    Query(pattern="^[0-9]{4}(/[0-9]{2})?$", description="2022/23, or 2022", examples=["2022/23"]),
]
ModelName = Annotated[
    str, Path(pattern="^[A-Za-z0-9_.-]{1,100}$", description="name of the registered model",
              examples=["touchline_match_result"])
]  # fmt: skip
ModelVersion = Annotated[str, Path(pattern="^[0-9]{1,10}$", description="its version", examples=["3"])]
TeamId = Annotated[UUID, Path(examples=[schemas.A_TEAM])]
Role = Annotated[schemas.Role | None, Query(description="whose forecasts")]
# These without the zero byte, which PostgreSQL's text cannot hold.
Forecast = Annotated[
    str | None, Query(pattern="^[a-z0-9_]{1,40}$", description="which forecast", examples=["with_odds"])
]
Version = Annotated[
    str | None, Query(pattern="^[0-9]{1,10}$", description="version of the model", examples=["3"])
]
From = Annotated[
    Annotated[datetime, BeforeValidator(_moment)] | None,
    Query(alias="from", description="kick-off at or after this (UTC)", examples=["2023-03-10"]),
]
To = Annotated[
    Annotated[datetime, BeforeValidator(_moment)] | None,
    Query(alias="to", description="kick-off at or before this (UTC)", examples=["2023-03-17T18:00Z"]),
]

# What a form sends: nothing that was left empty has an effect.
ChosenCompetition = Annotated[
    Annotated[str, Field(pattern="^[A-Za-z0-9]{1,8}$")] | None, BeforeValidator(_nothing), Query()
]
FirstDay = Annotated[
    Annotated[date, BeforeValidator(_day)] | None, BeforeValidator(_nothing), Query(alias="from")
]
LastDay = Annotated[
    Annotated[date, BeforeValidator(_day)] | None, BeforeValidator(_nothing), Query(alias="to")
]
