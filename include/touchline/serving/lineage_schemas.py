"""What a prediction was made of, as `/v1/predictions/{prediction_id}/lineage` gives it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from touchline.serving.schemas import (
    A_MATCH,
    A_PREDICTION,
    SIMULATED,
    Price,
    Role,
    Side,
)


class Origin(BaseModel):
    """Where a fact was read."""

    known_at: datetime = Field(
        description="when it became known to us; never after the features' `features_as_of`"
    )
    payload_id: int = Field(description="which of `payloads`", examples=[12])
    row_number: int = Field(description="of the payload, from 1, the first after the header", examples=[7])


class MadePrediction(BaseModel):
    """The prediction, as in the ledger, but for its features and its grid."""

    prediction_id: UUID = Field(examples=[A_PREDICTION])
    match_id: UUID = Field(examples=[A_MATCH])
    competition: str = Field(examples=["E0"])
    season: str = Field(examples=["2022/23"])
    home_team: str = Field(examples=["Arsenal"])
    away_team: str = Field(examples=["Chelsea"])
    kickoff_at: datetime
    model_name: str = Field(examples=["touchline_match_result"])
    model_version: str = Field(examples=["3"])
    forecast: str = Field(examples=["with_odds"])
    rests_on: Literal["prices", "ratings"] = Field(examples=["prices"])
    role: Role = Field(examples=["champion"])
    predicted_at: datetime
    recorded_at: datetime = Field(description="by the clock of the database")
    features_as_of: datetime = Field(description="nothing below was learned later, but the outcome")
    feature_hash: str = Field(description="SHA-256 of the features in name order")
    feature_store: Literal["online", "offline"] = Field(examples=["online"])
    clock: Literal["live", "virtual"] = Field(examples=["live"])
    p_home: float = Field(examples=[0.46])
    p_draw: float = Field(examples=[0.28])
    p_away: float = Field(examples=[0.26])
    expected_home_goals: float = Field(examples=[1.62])
    expected_away_goals: float = Field(examples=[1.18])
    is_simulated: bool = SIMULATED
    run_id: str = Field(description="as in Airflow and ops.pipeline_run")


class EarlierMatch(Origin):
    """A result behind ratings and form."""

    match_id: UUID = Field(examples=[A_MATCH])
    kickoff_at: datetime
    competition: str = Field(examples=["E0"])
    home_team: str = Field(examples=["Arsenal"])
    away_team: str = Field(examples=["Chelsea"])
    home_goals: int = Field(examples=[2])
    away_goals: int = Field(examples=[1])


class UsedQuote(Origin):
    """A bookmaker's last pre-match quote."""

    bookmaker: str = Field(examples=["B365"])
    market: Literal["1x2", "over_under", "asian_handicap"] = Field(examples=["1x2"])
    line: float = Field(description="goals; 0 where the market has none", examples=[0.0])
    price_home: Price | None = Field(examples=[2.1])
    price_draw: Price | None = Field(examples=[3.5])
    price_away: Price | None = Field(examples=[3.8])
    price_over: Price | None = Field(examples=[None])
    price_under: Price | None = Field(examples=[None])
    quoted_at: datetime


class ListedFixture(Origin):
    """The fixture as it was listed."""

    kickoff_at: datetime
    status: str = Field(examples=["scheduled"])


class UsedPayload(BaseModel):
    """A body as received, and which of its rows were used."""

    payload_id: int = Field(examples=[12])
    source: str = Field(examples=["football_data_uk"])
    endpoint: str = Field(examples=["mmz4281/2223/E0.csv"])
    observed_at: datetime
    is_backfill: bool = Field(description="it was the first body of its address")
    content_hash: str = Field(description="SHA-256 of the body")
    n_bytes: int = Field(examples=[171402])
    row_numbers: list[int] = Field(examples=[[7, 31]])


class Settled(BaseModel):
    """How the prediction was last settled."""

    revision: int = Field(examples=[1])
    home_goals: int = Field(examples=[2])
    away_goals: int = Field(examples=[1])
    outcome: Side = Field(examples=["home"])
    rps: float = Field(description="ranked probability score", examples=[0.182])
    log_loss: float = Field(description="natural logarithm, in nats", examples=[0.777])
    brier: float = Field(description="sum over the three outcomes", examples=[0.438])
    is_correct: bool
    settled_at: datetime
    run_id: str = Field(description="as in Airflow and ops.pipeline_run")


class Lineage(BaseModel):
    """Everything behind a prediction, as it was known when its features were made."""

    prediction: MadePrediction
    features: dict[str, float | None] = Field(
        description="values by name; null when unknown", examples=[{"home_elo": 1612.4}]
    )
    home_matches: list[EarlierMatch] = Field(description="the home side's last 20, the latest first")
    away_matches: list[EarlierMatch] = Field(description="the away side's last 20, the latest first")
    quotes: list[UsedQuote]
    fixture: ListedFixture | None = Field(description="null when no source had listed it")
    payloads: list[UsedPayload]
    outcome: Settled | None = Field(description="null until it is settled")
