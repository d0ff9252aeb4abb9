"""The API's replies about the markets of a prediction, all derived from its scoreline grid."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from touchline.serving.schemas import PredictionSummary

FairPrice = Annotated[
    float | None,
    Field(description="price at which a bet breaks even on average; null if it cannot win", examples=[2.17]),
]


class Chance(BaseModel):
    """How probable something is, and its fair price."""

    probability: float = Field(examples=[0.46])
    fair_price: FairPrice


class Bet(BaseModel):
    """The probabilities of the five ways in which a bet on a line settles; they sum to one.

    Quarter lines can be half won or half lost, whole lines can return the stake.
    """

    won: float = Field(examples=[0.46])
    half_won: float = Field(examples=[0.0])
    stake_back: float = Field(examples=[0.0])
    half_lost: float = Field(examples=[0.27])
    lost: float = Field(examples=[0.27])
    fair_price: FairPrice


class MatchResult(BaseModel):
    """Home win, draw, away win."""

    home: Chance
    draw: Chance
    away: Chance


class DoubleChance(BaseModel):
    """Two of the three results in one bet."""

    home_or_draw: Chance
    home_or_away: Chance
    draw_or_away: Chance


class DrawNoBet(BaseModel):
    """Home or away; a draw returns the stake. The probabilities are conditional on no draw."""

    home: Chance
    away: Chance


class BothToScore(BaseModel):
    """Whether both sides score."""

    yes: Chance
    no: Chance


class GoalsLine(BaseModel):
    """More or fewer goals than a line."""

    line: float = Field(description="goals", examples=[2.5])
    over: Bet
    under: Bet


class HandicapLine(BaseModel):
    """Asian handicap: the line is added to the home side's goals before the sides are compared."""

    line: float = Field(
        description="goals added to the home side's; negative when it is the favourite", examples=[-0.25]
    )
    home: Bet
    away: Bet


class ScorelineChance(Chance):
    """One scoreline."""

    home_goals: int = Field(examples=[1])
    away_goals: int = Field(examples=[1])


class PredictionMarkets(PredictionSummary):
    """Every market of one prediction, from its scoreline grid, so that none contradicts another."""

    match_result: MatchResult
    double_chance: DoubleChance
    draw_no_bet: DrawNoBet
    both_to_score: BothToScore
    total_goals: list[GoalsLine] = Field(description="lines 0.5 to 6.5 in quarters")
    home_goals: list[GoalsLine] = Field(description="goals of the home side, lines 0.5 to 4.5")
    away_goals: list[GoalsLine] = Field(description="goals of the away side, lines 0.5 to 4.5")
    handicap: list[HandicapLine] = Field(description="lines -3 to +3 in quarters")
    scorelines: list[ScorelineChance] = Field(description="the most probable scorelines, in that order")
