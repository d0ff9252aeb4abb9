"""Profiles of users: what they like to see, and how. One belongs to each key, and outlives its secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field
from rapidfuzz import fuzz, process

from touchline.accounts.formats import LANGUAGES, Formats, OddsFormat

MOST_FAVOURITES = 100
# From which a known name may be the one that was meant, 0 to 100.
LIKENESS = 60
_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Favourites = Annotated[list[_Name], Field(max_length=MOST_FAVOURITES)]
# SQL takes these parameters in this order, before them the prefix.
COLUMNS = (
    "competitions", "teams", "time_zone", "odds_format", "language", "kickoff_soon_minutes", "prediction_moved",
    "settled_hours",
)  # fmt: skip


class Alerts(BaseModel):
    """What a user wants to hear of the favourites; null for nothing."""

    model_config = ConfigDict(extra="forbid")

    kickoff_soon_minutes: int | None = Field(
        default=None,
        ge=1,
        le=7 * 24 * 60,
        description="a fixture kicks off within so many minutes",
        examples=[60],
    )
    prediction_moved: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="a probability of a fixture ahead moved by more than this with the last prediction",
        examples=[0.05],
    )
    settled_hours: int | None = Field(
        default=None,
        ge=1,
        le=31 * 24,
        description="a prediction was settled within so many hours",
        examples=[24],
    )


class Profile(BaseModel):
    """What a user likes to see, and how."""

    model_config = ConfigDict(extra="forbid")

    competitions: _Favourites = Field(default=[], description="codes of favourites", examples=[["E0"]])
    teams: _Favourites = Field(
        default=[], description="names of favourites, as in predictions", examples=[["Arsenal"]]
    )
    time_zone: _Name = Field(
        default="UTC", description="IANA name of a time zone", examples=["Europe/London"]
    )
    odds_format: OddsFormat = Field(default="decimal", description="how prices are written")
    language: _Name = Field(
        default="en_GB", description="language of numbers and dates", examples=["de", "pt_BR"]
    )
    alerts: Alerts = Alerts()

    @property
    def formats(self) -> Formats:
        """How the user reads."""
        return Formats(self.time_zone, self.odds_format, self.language)

    def row(self) -> tuple[Any, ...]:
        """The values of COLUMNS."""
        values = {**self.model_dump(exclude={"alerts"}), **self.alerts.model_dump()}
        return tuple(values[name] for name in COLUMNS)


@dataclass(frozen=True)
class Stored:
    """A profile and when it was last written (UTC, wall clock); None for that of a key that has none yet."""

    profile: Profile
    updated_at: datetime | None


@dataclass(frozen=True)
class Objection:
    """What cannot be stored, where in the profile, and what could be."""

    where: tuple[str | int, ...]
    value: str
    told: str


def stored_profile(row: Mapping[str, Any] | None) -> Stored:
    """The profile in a row of `ops.user_profile`."""
    if row is None:
        return Stored(Profile(), None)
    values = {name: row[name] for name in COLUMNS}
    alerts = Alerts(**{name: values.pop(name) for name in Alerts.model_fields})
    return Stored(Profile(**values, alerts=alerts), row["updated_at"])


def objections(profile: Profile, competitions: Collection[str], teams: Collection[str]) -> list[Objection]:
    """Names in a profile that are unknown; `competitions` and `teams` are the known ones."""
    found = [
        Objection(
            ("competitions", place), code, _unknown("competition", code, competitions, sorted(competitions))
        )
        for place, code in enumerate(profile.competitions)
        if code not in competitions
    ]
    found += [
        Objection(("teams", place), name, _unknown("team", name, teams, "as predictions write them"))
        for place, name in enumerate(profile.teams)
        if name not in teams
    ]
    if profile.time_zone not in _zones():
        told = _unknown("time zone", profile.time_zone, _zones(), "IANA names such as Europe/London, and UTC")
        found.append(Objection(("time_zone",), profile.time_zone, told))
    if profile.language not in LANGUAGES:
        told = _unknown("language", profile.language, LANGUAGES, LANGUAGES)
        found.append(Objection(("language",), profile.language, told))
    return found


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _unknown(kind: str, given: str, known: Collection[str], allowed: Collection[str] | str) -> str:
    # Of a hundred wrong names among thousands in a tenth of a second, which difflib takes seconds for.
    found = process.extractOne(
        given, sorted(known), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=LIKENESS
    )
    hint = f"did you mean {found[0]}? " if found else ""
    listed = allowed if isinstance(allowed, str) else ", ".join(allowed)
    return f"there is no {kind} {given!r}; {hint}allowed are {listed}"
