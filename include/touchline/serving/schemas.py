"""The API's replies. Probabilities are between 0 and 1, times are UTC, prices are decimal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

Side = Literal["home", "draw", "away"]
Role = Literal["champion", "challenger", "baseline"]
Stage = Literal["league", "play_off"]
Status = Literal[
    "scheduled",
    "in_play",
    "suspended",
    "played",
    "postponed",
    "abandoned",
    "awarded",
    "cancelled",
    "superseded",
]

# Prices are stored in single precision, which would show as 2.180000066757202.
Price = Annotated[float, AfterValidator(lambda price: round(price, 4))]

STAGE = Field(
    description="play_off for a tie that a source lists with the league; tables count the league alone",
    examples=["league"],
)
SIMULATED = Field(description="true when the football is invented by the sandbox", examples=[True])
A_PREDICTION = "019ce7a1-52c0-7d3e-9f61-0c8c5a1f2b34"
A_TEAM = "7d4f2b1c-90aa-4e0c-8d51-6f1f2f0c9b3e"
A_MATCH = "3f0a3c1e-6a53-7a41-c0b4-2f3c0d1f8a11"


class Probabilities(BaseModel):
    """Home win, draw, away win; they sum to one."""

    home: float = Field(examples=[0.46])
    draw: float = Field(examples=[0.27])
    away: float = Field(examples=[0.27])


class Prices(BaseModel):
    """Decimal prices of home win, draw, away win; null where nobody offers one."""

    home: Price | None = Field(examples=[2.17])
    draw: Price | None = Field(examples=[3.7])
    away: Price | None = Field(examples=[3.7])


class Outcome(BaseModel):
    """The outcome of a prediction. For its scores, lower is better."""

    home_goals: int = Field(examples=[2])
    away_goals: int = Field(examples=[1])
    outcome: Side = Field(examples=["home"])
    rps: float = Field(description="ranked probability score", examples=[0.182])
    log_loss: float = Field(description="natural logarithm, in nats", examples=[0.777])
    brier: float = Field(description="sum over the three outcomes", examples=[0.438])
    is_correct: bool = Field(description="the most probable outcome is the one that happened")
    closing_probabilities: Probabilities | None = Field(
        description="the closing market's, without its overround; null without closing prices"
    )
    closing_line_value: float | None = Field(
        description="ln(closing / pre-match market probability) of the forecast's favourite; positive when the "
        "market moved towards the forecast",
        examples=[0.012],
    )
    settled_at: datetime = Field(description="run clock when it was settled")
    revision: int = Field(
        description="above 1 when the result or the closing price came later or was corrected", examples=[1]
    )


class PredictionSummary(BaseModel):
    """One prediction of one match."""

    prediction_id: UUID = Field(description="UUID version 7: sorts by time", examples=[A_PREDICTION])
    match_id: UUID = Field(examples=[A_MATCH])
    kickoff_at: datetime
    competition: str = Field(description="code of the competition", examples=["E0"])
    season: str = Field(examples=["2022/23"])
    home_team: str = Field(examples=["Arsenal"])
    away_team: str = Field(examples=["Chelsea"])
    probabilities: Probabilities
    expected_home_goals: float = Field(examples=[1.62])
    expected_away_goals: float = Field(examples=[1.18])
    model_name: str = Field(examples=["touchline_match_result"])
    model_version: str = Field(description="version in the MLflow registry", examples=["3"])
    forecast: str = Field(description="which of the model's forecasts", examples=["with_odds"])
    rests_on: Literal["prices", "ratings"] = Field(
        description="what it was made from: pre-match prices of the match, or ratings alone",
        examples=["prices"],
    )
    role: Role = Field(description="the champion is the forecast in use", examples=["champion"])
    predicted_at: datetime = Field(description="run clock of the prediction; always before kick-off")
    is_simulated: bool = SIMULATED


class UpcomingPrediction(PredictionSummary):
    """A prediction of a fixture, with the market's probabilities and best prices."""

    competition_name: str = Field(examples=["Premier League"])
    stage: Stage = STAGE
    fair_prices: Prices = Field(description="the prices at which a bet breaks even if this forecast is right")
    best_prices: Prices = Field(description="the best pre-match price on offer, over all bookmakers")
    market_probabilities: Probabilities | None = Field(
        description="the pre-match consensus's, without its overround; null without prices"
    )
    prices_as_of: datetime | None = Field(
        description="when a source of prices last answered; null before the first time"
    )
    is_stale: bool = Field(
        description="it rests on prices, and no source of prices has answered for more than an hour",
        examples=[False],
    )


class Moves(BaseModel):
    """What was added to probabilities, or taken from them; sums to zero."""

    home: float = Field(description="positive when it is more probable now", examples=[0.04])
    draw: float = Field(examples=[-0.01])
    away: float = Field(examples=[-0.03])


class Move(BaseModel):
    """How far the champion's word on a fixture is from its last one a day before the present."""

    prediction_id: UUID = Field(description="what it says now", examples=[A_PREDICTION])
    match_id: UUID = Field(examples=[A_MATCH])
    kickoff_at: datetime
    competition: str = Field(examples=["E0"])
    competition_name: str = Field(examples=["Premier League"])
    home_team: str = Field(examples=["Arsenal"])
    away_team: str = Field(examples=["Chelsea"])
    predicted_at: datetime
    probabilities: Probabilities
    before_id: UUID = Field(
        description="the last prediction at least 24 hours before the present", examples=[A_PREDICTION]
    )
    before_at: datetime = Field(description="when that was made")
    moves: Moves
    moved_by: float = Field(description="the largest of them, without its sign", examples=[0.04])
    is_simulated: bool = SIMULATED


class UnpredictedFixture(BaseModel):
    """A fixture without a prediction, and the first reason that applies."""

    match_id: UUID | None = Field(
        description="null where the fixture is only known from a rejected row", examples=[A_MATCH]
    )
    competition: str = Field(examples=["E0"])
    kickoff_at: datetime
    home_team: str = Field(description="the source's own name where it is not settled", examples=["Arsenal"])
    away_team: str = Field(examples=["Chelsea"])
    reason: str = Field(description="rejected, unknown_team, quarantined, held, ...", examples=["held"])
    detail: str = Field(description="the evidence in words: row, rule, hold, run or message")
    look_at: str = Field(description="command or table that shows more", examples=["touchline quality holds"])
    what_to_do: str = Field(examples=["run `touchline build`"])


class Prediction(PredictionSummary):
    """A prediction with everything it was made from."""

    features_as_of: datetime = Field(description="the features contain nothing learned later")
    feature_store: Literal["online", "offline"] = Field(description="where the features were read from")
    feature_hash: str = Field(description="SHA-256 of the features in name order")
    features: dict[str, float | None] = Field(
        description="values by name; null when unknown at the time", examples=[{"home_elo": 1612.4}]
    )
    scoreline_grid: list[list[float]] = Field(
        description="P(home goals = row, away goals = column), both 0 to 10; sums to one"
    )
    clock: Literal["live", "virtual"] = Field(description="virtual when the run was told what time it is")
    run_id: str = Field(description="the run that made it, as in Airflow and ops.pipeline_run")
    outcome: Outcome | None = Field(description="null until the match is played and settled")


class Result(BaseModel):
    """The score of a played match."""

    home_goals: int = Field(examples=[2])
    away_goals: int = Field(examples=[1])
    outcome: Side = Field(examples=["home"])
    known_at: datetime = Field(description="when we learned it; for old files, by the publisher's schedule")


class Quote(BaseModel):
    """A quote of a bookmaker for a market: the first seen (opening), the last before kick-off (prematch), closing."""

    bookmaker: str = Field(description="code; `consensus` stands for all of them", examples=["B365"])
    market: Literal["1x2", "over_under", "asian_handicap"] = Field(examples=["1x2"])
    line: float = Field(description="goals; 0 where the market has none", examples=[0.0])
    stage: Literal["opening", "prematch", "closing"] = Field(examples=["prematch"])
    price_home: Price | None = Field(examples=[2.1])
    price_draw: Price | None = Field(examples=[3.5])
    price_away: Price | None = Field(examples=[3.8])
    price_over: Price | None = Field(examples=[None])
    price_under: Price | None = Field(examples=[None])
    overround: float = Field(
        description="sum of the inverse prices; 1.05 is a margin of 5 %", examples=[1.05]
    )
    quoted_at: datetime = Field(description="when the price was on offer")
    known_at: datetime = Field(
        description="from when on it could be used; of an opening price, when it was seen"
    )


class PricePoint(BaseModel):
    """What the market said of a match result from a time on, until the next point."""

    seen_at: datetime = Field(
        description="when the change was known; by the publisher's timetable where nobody saw it; the kick-off for the "
        "close"
    )
    stage: Literal["prematch", "closing"] = Field(examples=["prematch"])
    n_bookmakers: int = Field(
        description="who offered a price then; 0 where only averages are", examples=[12]
    )
    probabilities: Probabilities = Field(description="the consensus's, without its overround")
    prices: Prices = Field(description="the consensus")
    best_prices: Prices = Field(description="the best on offer, over all bookmakers")


class MatchSummary(BaseModel):
    """A match, played or ahead."""

    match_id: UUID = Field(examples=[A_MATCH])
    competition: str = Field(examples=["E0"])
    competition_name: str = Field(examples=["Premier League"])
    season: str = Field(examples=["2022/23"])
    home_team_id: UUID = Field(examples=[A_TEAM])
    home_team: str = Field(examples=["Arsenal"])
    away_team_id: UUID = Field(examples=[A_TEAM])
    away_team: str = Field(examples=["Chelsea"])
    kickoff_at: datetime
    is_kickoff_time_known: bool = Field(description="false when the source gives only the day")
    status: Status = Field(examples=["scheduled"])
    stage: Stage = STAGE
    is_simulated: bool = SIMULATED
    result: Result | None = Field(description="null until it is known")


class Match(MatchSummary):
    """A match with its result, prices and predictions."""

    quotes: list[Quote] = Field(description="pre-match and closing; /odds has the opening ones too")
    predictions: list[PredictionSummary] = Field(description="newest first, every role")


class MatchFeatures(BaseModel):
    """What was known of a match when the champion last predicted it."""

    match_id: UUID = Field(examples=[A_MATCH])
    prediction_id: UUID = Field(examples=[A_PREDICTION])
    predicted_at: datetime
    features_as_of: datetime = Field(description="the features contain nothing learned later")
    feature_store: Literal["online", "offline"] = Field(description="where the features were read from")
    feature_hash: str = Field(description="SHA-256 of the features in name order")
    features: dict[str, float | None] = Field(
        description="values by name; null when unknown at the time", examples=[{"home_elo": 1612.4}]
    )
    is_simulated: bool = SIMULATED


class Competition(BaseModel):
    """A competition with matches, as of the last build."""

    competition: str = Field(description="code", examples=["E0"])
    name: str = Field(examples=["Premier League"])
    country: str = Field(examples=["England"])
    tier: int = Field(description="level in its country; 1 is the highest", examples=[1])
    last_kickoff_at: datetime | None = Field(description="of the last match played")
    last_result_known_at: datetime | None
    n_overdue_results: int = Field(
        description="matches that began more than six hours ago without a result", examples=[0]
    )
    next_kickoff_at: datetime | None
    n_upcoming: int = Field(examples=[380])
    n_upcoming_without_price: int = Field(description="of those within the horizon", examples=[0])
    n_upcoming_without_prediction: int = Field(description="of those within the horizon", examples=[0])
    is_simulated: bool = SIMULATED


class Standing(BaseModel):
    """A team's place in the newest table of the league stage."""

    competition: str = Field(examples=["E0"])
    season: str = Field(examples=["2022/23"])
    position: int = Field(
        description="by points, goal difference and goals; meetings of teams with equal points are not looked at",
        examples=[1],
    )
    team_id: UUID = Field(examples=[A_TEAM])
    team: str = Field(examples=["Arsenal"])
    n_played: int = Field(examples=[26])
    goals_for: int = Field(examples=[59])
    goals_against: int = Field(examples=[25])
    points: int = Field(description="less those deducted", examples=[63])
    points_deducted: int = Field(examples=[0])
    table_rule: str = Field(description="how the competition makes its table", examples=["round_robin"])
    may_lack: str | None = Field(description="what the table may not know; null when it is whole")
    is_simulated: bool = SIMULATED


Chance = Annotated[
    float | None, Field(description="0 to 1; null where the competition has none", examples=[0.31])
]


class SeasonAhead(BaseModel):
    """How a season may end for a team, from simulated seasons; what came of it once the season is settled."""

    competition: str = Field(examples=["E0"])
    season: str = Field(examples=["2022/23"])
    team_id: UUID = Field(examples=[A_TEAM])
    team: str = Field(examples=["Arsenal"])
    forecast_at: datetime = Field(description="nothing learned later is in it")
    model_version: str = Field(examples=["3"])
    n_simulations: int = Field(examples=[10000])
    n_played: int = Field(examples=[26])
    n_left: int = Field(description="before a split, the most that there can be", examples=[12])
    points: int = Field(description="so far, less those deducted", examples=[63])
    expected_points: float = Field(description="at the end, on average", examples=[86.2])
    points_low: int = Field(description="one simulated season in twenty ends below", examples=[79])
    points_high: int = Field(description="one simulated season in twenty ends above", examples=[93])
    p_title: Chance
    p_champions_league: Chance
    p_europe: Chance
    p_championship_play_off: Chance
    p_promotion: Chance
    p_promotion_play_off: Chance
    p_relegation_play_off: Chance
    p_relegation: Chance
    not_simulated: str | None = Field(description="what else decides; null where nothing does")
    final_place: int | None = Field(description="null until the season is settled", examples=[2])
    final_points: int | None = Field(description="null until the season is settled", examples=[84])
    is_simulated: bool = SIMULATED


class Team(BaseModel):
    """A team, with its ratings after its last rated match; null before the first."""

    team_id: UUID = Field(examples=[A_TEAM])
    name: str = Field(examples=["Arsenal"])
    country: str = Field(examples=["England"])
    elo: float | None = Field(examples=[1812.4])
    pi_home: float | None = Field(description="goals better than an average team, at home", examples=[1.61])
    pi_away: float | None = Field(description="goals better than an average team, away", examples=[1.32])
    last_kickoff_at: datetime | None = Field(description="of the last rated match")
    is_simulated: bool = SIMULATED


class TrackRecord(BaseModel):
    """How a forecast's settled predictions of a season scored; lower is better."""

    model_name: str = Field(examples=["touchline_match_result"])
    forecast: str = Field(examples=["with_odds"])
    role: Role = Field(examples=["champion"])
    competition: str = Field(examples=["E0"])
    season: str = Field(examples=["2022/23"])
    n: int = Field(description="settled predictions, the last word on each match", examples=[250])
    rps: float = Field(description="ranked probability score", examples=[0.1957])
    log_loss: float = Field(description="natural logarithm, in nats", examples=[0.9731])
    brier: float = Field(description="sum over the three outcomes", examples=[0.5771])
    accuracy: float = Field(examples=[0.537])
    n_with_closing: int = Field(description="of those with closing prices", examples=[250])
    closing_log_loss: float | None = Field(description="of the closing market", examples=[0.9712])
    log_loss_behind_closing: float | None = Field(
        description="mean log loss minus the closing market's on the same matches", examples=[0.0019]
    )
    first_kickoff_at: datetime
    last_kickoff_at: datetime
    is_simulated: bool = SIMULATED


class CalibrationTenth(BaseModel):
    """Probabilities of one tenth that a forecast gave to an outcome, and how often the outcome happened."""

    model_name: str = Field(examples=["touchline_match_result"])
    forecast: str = Field(examples=["with_odds"])
    role: Role = Field(examples=["champion"])
    outcome: Side = Field(examples=["home"])
    tenth: int = Field(description="0 for probabilities below 0.1, ..., 9 for those from 0.9", examples=[4])
    n: int = Field(examples=[412])
    p_said: float = Field(description="mean probability", examples=[0.447])
    p_happened: float = Field(description="share that happened", examples=[0.451])
    is_simulated: bool = SIMULATED


class ModelRecord(BaseModel):
    """A forecast of a model version, and how its settled predictions scored; null before any is settled."""

    model_name: str = Field(examples=["touchline_match_result"])
    model_version: str = Field(examples=["3"])
    forecast: str = Field(examples=["with_odds"])
    role: Role = Field(examples=["champion"])
    n_predictions: int = Field(examples=[420])
    last_predicted_at: datetime
    n_settled: int = Field(examples=[380])
    rps: float | None = Field(examples=[0.1957])
    log_loss: float | None = Field(examples=[0.9731])
    brier: float | None = Field(examples=[0.5771])
    accuracy: float | None = Field(examples=[0.537])
    log_loss_behind_closing: float | None = Field(
        description="mean log loss minus the closing market's on the same matches; positive is worse",
        examples=[0.004],
    )
    is_simulated: bool = SIMULATED


class HeldOutScores(BaseModel):
    """How a forecast scored on the held-out matches of a training; lower is better, except for accuracy."""

    forecast: str = Field(examples=["with_odds"])
    rps: float = Field(description="ranked probability score", examples=[0.1949])
    log_loss: float = Field(description="natural logarithm, in nats", examples=[0.9712])
    brier: float = Field(description="sum over the three outcomes", examples=[0.5764])
    accuracy: float = Field(examples=[0.541])


class Decision(BaseModel):
    """What was decided about a version after its training."""

    state: str = Field(
        description="promoted, challenger, refused or awaiting approval", examples=["promoted"]
    )
    reason: str = Field(examples=["the champion's recipe on newer data, not worse: log loss -0.00012 ..."])
    decided_at: datetime = Field(description="run clock of the training that last said so")
    run_id: str = Field(description="the run of that training, as in Airflow and ops.pipeline_run")


class ModelCard(BaseModel):
    """The card of a trained version: what it is for, what it learned from, how good it was, and what was decided."""

    model_name: str = Field(examples=["touchline_match_result"])
    model_version: str = Field(examples=["3"])
    forecast: str = Field(description="the one that is published when it is champion", examples=["with_odds"])
    intended_use: str = Field(description="the same for every version")
    limits: list[str] = Field(description="what no version knows")
    trained_at: datetime = Field(description="nothing learned later is in it")
    first_kickoff_at: datetime = Field(description="of the matches that it learned from")
    last_kickoff_at: datetime
    n_matches: int = Field(examples=[61234])
    n_features: int = Field(description="/v1/matches/{match_id}/features names them", examples=[120])
    competitions: list[str] = Field(examples=[["E0", "E1"]])
    dataset_digest: str = Field(description="SHA-256 of the training set")
    code_version: str = Field(description="of the code that trained it")
    parameters: dict[str, str] | None = Field(
        description="by name; null for versions trained before they were recorded", examples=[{"seed": "1"}]
    )
    n_held_out: int | None = Field(description="matches of past seasons that every forecast covers")
    held_out: list[HeldOutScores] = Field(
        description="scores on these, each season forecast by models that saw only what came before; best first, "
        "empty for versions trained before they were recorded"
    )
    decision: Decision | None = Field(
        description="null for what no training reported, such as the market that stands in for a refused model"
    )
    first_champion_at: datetime | None = Field(description="its first prediction as champion; null before it")
    last_champion_at: datetime | None
    is_simulated: bool = SIMULATED


class SourceState(BaseModel):
    """The state of one source. Calls, credits used and failed calls are counted from the beginning."""

    source: str = Field(examples=["the_odds_api"])
    circuit: Literal["closed", "open", "half_open"] = Field(
        description="open: not called for some minutes after many failures in a row", examples=["closed"]
    )
    n_failures: int = Field(description="failures in a row", examples=[0])
    last_success_at: datetime | None = Field(description="run clock of the last answer")
    last_failure_at: datetime | None = Field(description="run clock of the last failure")
    remaining_credits: int | None = Field(description="as last reported by the source", examples=[412])
    quota_spent_until: datetime | None
    n_calls: int = Field(examples=[1310])
    n_credits: int = Field(examples=[980])
    n_failed_calls: int = Field(examples=[4])


class GateState(BaseModel):
    """The last run of a quality gate: the expectations that failed, by severity."""

    gate: str = Field(examples=["features"])
    as_of: datetime = Field(description="run clock of the last run")
    n_expectations: int = Field(examples=[31])
    n_block: int = Field(description="failed ones that hold competitions", examples=[0])
    n_quarantine: int = Field(description="failed ones that left facts out", examples=[0])
    n_warn: int = Field(description="failed ones that are only noted", examples=[1])


class Freshness(BaseModel):
    """When the newest fact of a kind became known."""

    kind: Literal["results", "prices", "predictions", "outcomes"] = Field(examples=["prices"])
    newest_at: datetime | None = Field(description="run clock; null before the first")
    built_as_of: datetime = Field(description="the instant that the warehouse knows everything up to")


class Liveness(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Shortfall(BaseModel):
    """Something that should be there and is not."""

    kind: Literal["unpredicted", "held", "uncollected", "stale"] = Field(
        description="fixtures ahead without a prediction, a competition held by a quality gate, facts that no source "
        "has given, or nothing new for more than a day"
    )
    subject: str = Field(
        description="reason (as in /v1/unpredicted), competition, or kind of facts; empty for stale",
        examples=["odds"],
    )
    n: int = Field(description="fixtures without a prediction, or 1", examples=[1])
    since: datetime | None = Field(
        description="since when; for unpredicted the next kick-off; null where it never was"
    )
    message: str = Field(examples=["no source has given odds since 2026-03-13 16:00 UTC"])
    what_to_do: str = Field(examples=["see `touchline sources`"])


class ServiceAnswer(BaseModel):
    """Whether a service that the API rests on answers."""

    name: Literal["database", "registry", "redis"] = Field(examples=["database"])
    is_ok: bool
    latency_ms: float | None = Field(description="null when it was not asked, see `detail`", examples=[0.8])
    detail: str = Field(description="why it does not answer; empty when it does", examples=[""])


class Readiness(BaseModel):
    """Whether predictions can be served, and if not, or not all of them, what is missing and what to do about it."""

    status: Literal["ok", "degraded", "not ready"] = Field(
        description="degraded: what there is is served, and something is missing", examples=["ok"]
    )
    reasons: list[str] = Field(description="why it is not ready; empty otherwise", examples=[[]])
    shortfalls: list[Shortfall] = Field(description="why it is degraded; empty with status ok", examples=[[]])
    warnings: list[str] = Field(description="worth checking, but no reason to stop serving", examples=[[]])
    services: list[ServiceAnswer] = Field(description="what the API rests on")
    as_of: datetime | None = Field(default=None, description="the run clock's present")
    last_predicted_at: datetime | None = Field(default=None, description="newest prediction, run clock")
    prediction_age_seconds: float | None = Field(
        default=None, description="as_of - last_predicted_at", examples=[3600.0]
    )
    last_steps: dict[str, datetime] = Field(
        default={}, description="run clock of the last success of each pipeline step"
    )
