"""What the API replies with. Probabilities are between 0 and 1, times are UTC, prices are decimal."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class Probabilities(BaseModel):
    """Home win, draw, away win; they sum to one."""

    home: float = Field(examples=[0.46])
    draw: float = Field(examples=[0.27])
    away: float = Field(examples=[0.27])


class Prices(BaseModel):
    """Decimal prices of home win, draw, away win; null where nobody offers one."""

    home: float | None = Field(examples=[2.17])
    draw: float | None = Field(examples=[3.7])
    away: float | None = Field(examples=[3.7])


class Outcome(BaseModel):
    """What came of a prediction; scores are lower the better the forecast was."""

    home_goals: int
    away_goals: int
    outcome: str = Field(description="home, draw or away")
    rps: float = Field(description="ranked probability score")
    log_loss: float = Field(description="natural logarithm")
    brier: float
    is_correct: bool
    closing_probabilities: Probabilities | None = Field(description="closing market without overround")
    closing_line_value: float | None
    settled_at: datetime
    revision: int = Field(description="above 1 when the result was corrected")


class PredictionSummary(BaseModel):
    """One prediction of one match."""

    prediction_id: UUID
    match_id: UUID
    kickoff_at: datetime
    competition: str = Field(examples=["E0"])
    season: str = Field(examples=["2022/23"])
    home_team: str
    away_team: str
    probabilities: Probabilities
    expected_home_goals: float
    expected_away_goals: float
    model_name: str
    model_version: str
    forecast: str = Field(examples=["with_odds"])
    role: str = Field(description="champion, challenger or baseline")
    predicted_at: datetime
    is_simulated: bool


class UpcomingPrediction(PredictionSummary):
    """A prediction of a fixture, with the best prices on offer."""

    fair_prices: Prices
    best_prices: Prices


class UpcomingPredictions(BaseModel):
    """A page of predictions; `total` counts all that match the filters."""

    total: int
    limit: int
    offset: int
    predictions: list[UpcomingPrediction]


class Prediction(PredictionSummary):
    """A prediction with everything it was made from."""

    features_as_of: datetime
    feature_store: str = Field(description="online or offline")
    features: dict[str, float | None]
    scoreline_grid: list[list[float]] = Field(description="P(home goals = row, away goals = column), 0 to 10")
    outcome: Outcome | None


class Result(BaseModel):
    """The score of a played match."""

    home_goals: int
    away_goals: int
    outcome: str
    known_at: datetime


class Quote(BaseModel):
    """The last 1X2 quote of a bookmaker before kick-off (prematch) or at kick-off (closing)."""

    bookmaker: str
    stage: str
    prices: Prices
    overround: float
    quoted_at: datetime


class Match(BaseModel):
    """A match with its result, prices and predictions."""

    match_id: UUID
    competition: str
    season: str
    home_team: str
    away_team: str
    kickoff_at: datetime
    is_kickoff_time_known: bool
    status: str
    is_simulated: bool
    result: Result | None
    quotes: list[Quote]
    predictions: list[PredictionSummary]


class ModelRecord(BaseModel):
    """A forecast of a model version and how its settled predictions scored; null before any is settled."""

    model_name: str
    model_version: str
    forecast: str
    role: str
    n_predictions: int
    last_predicted_at: datetime
    n_settled: int
    rps: float | None
    log_loss: float | None
    accuracy: float | None
    log_loss_behind_closing: float | None = Field(
        description="mean difference; positive is worse than the market"
    )
    is_simulated: bool


class Health(BaseModel):
    """`ok`, or what is missing and what to do about it."""

    status: str = Field(examples=["ok"])
    reasons: list[str] = []
