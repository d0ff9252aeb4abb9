"""Replies of the routes of one user: numbers and instants as everywhere, and beside them as the user reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from touchline.accounts.profiles import Profile
from touchline.serving.schemas import A_MATCH, A_PREDICTION, SIMULATED, Prices, Probabilities, Side

AlertKind = Literal["kickoff_soon", "prediction_moved", "settled"]


class StoredProfile(BaseModel):
    """The profile of a key."""

    key: str = Field(description="prefix of the key", examples=["tl_k7q2mzpa"])
    profile: Profile
    updated_at: datetime | None = Field(description="wall clock (UTC); null before it is first written")


class Written(BaseModel):
    """Home win, draw, away win as the user reads them; null where there is nothing to write."""

    home: str | None = Field(examples=["13/8"])
    draw: str | None = Field(examples=["9/4"])
    away: str | None = Field(examples=["9/5"])


class MyMatch(BaseModel):
    """A match of the favourites."""

    match_id: UUID = Field(examples=[A_MATCH])
    competition: str = Field(description="code of the competition", examples=["E0"])
    home_team: str = Field(examples=["Arsenal"])
    away_team: str = Field(examples=["Chelsea"])
    kickoff_at: datetime
    kickoff_local: datetime = Field(description="the same instant in the profile's zone")
    kickoff_written: str = Field(
        description="the same in the profile's zone and language", examples=["Sa. 11 März 2023, 16:00 MEZ"]
    )


class MyPrediction(MyMatch):
    """The champion's latest prediction of a fixture of the favourites."""

    competition_name: str = Field(examples=["Premier League"])
    season: str = Field(examples=["2022/23"])
    prediction_id: UUID = Field(examples=[A_PREDICTION])
    predicted_at: datetime
    probabilities: Probabilities
    probabilities_written: Written
    fair_prices: Prices = Field(description="decimal")
    fair_prices_written: Written
    best_prices: Prices = Field(description="the best pre-match price on offer, decimal")
    best_prices_written: Written


class MyPredictions(BaseModel):
    """Predictions of the favourites' fixtures, soonest first."""

    as_of: datetime = Field(description="the present by the run clock; all kick-offs are after it")
    is_simulated: bool = SIMULATED
    total: int = Field(
        description="fixtures ahead of the favourites, those without a prediction, too", examples=[4]
    )
    predictions: list[MyPrediction]


class Alert(MyMatch):
    """One thing that happened, or is about to, of which the user wants to hear."""

    kind: AlertKind = Field(examples=["prediction_moved"])
    written: str = Field(description="in words", examples=["Arsenal - Chelsea moved by 6.1%"])
    prediction_id: UUID | None = Field(description="null for a fixture without one", examples=[A_PREDICTION])
    probabilities: Probabilities | None
    before: Probabilities | None = Field(description="of the prediction before; of prediction_moved alone")
    moved_by: float | None = Field(description="greatest change of a probability", examples=[0.061])
    home_goals: int | None = Field(description="of settled alone", examples=[2])
    away_goals: int | None = Field(description="of settled alone", examples=[1])
    outcome: Side | None = Field(description="of settled alone", examples=["home"])
    is_correct: bool | None
    settled_at: datetime | None


class MyAlerts(BaseModel):
    """What the subscriptions say at this instant of the run clock; nothing is remembered between requests."""

    as_of: datetime
    is_simulated: bool = SIMULATED
    alerts: list[Alert]
