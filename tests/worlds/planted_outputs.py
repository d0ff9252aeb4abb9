"""Planted faults behind landing: in core, in features, in a training set and in predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd


@dataclass(frozen=True)
class WarehouseFault:
    """`statement` plants it in E0, as the transforming role."""

    name: str
    caught_by: str
    severity: Literal["block", "warn"]
    statement: str


@dataclass(frozen=True)
class OutputFault:
    """`change` plants it in the rows of one competition."""

    name: str
    caught_by: str
    severity: Literal["block", "warn"]
    change: Callable[[pd.DataFrame], pd.DataFrame]


ONE = "(select match_id from core.match where competition = 'E0' and is_played order by match_id limit 1)"
AHEAD = (
    "(select match_id from core.match where competition = 'E0' and not is_played order by match_id limit 1)"
)
LATELY = (
    "(select match_id from core.match where competition = 'E0' and is_played "
    "and kickoff_at > '2022-09-10' order by match_id)"
)

WAREHOUSE = [
    WarehouseFault("a match twice in core", "core_match.match_id", "block",
        f"insert into core.match select * from core.match where match_id in {ONE}"),
    WarehouseFault("a match without kick-off", "core_match.kickoff_at", "block",
        f"update core.match set kickoff_at = null where match_id in {ONE}"),
    WarehouseFault("a team that core does not know", "core_match.n_unknown_teams", "block",
        f"update core.match set home_team_id = md5('nobody')::uuid where match_id in {AHEAD}"),
    WarehouseFault("a played match without result", "core_match.n_results_missing", "block",
        f"delete from core.match_result where match_id in {ONE}"),
    WarehouseFault("a result known before kick-off", "core_match_result.seconds_after_kickoff", "block",
        f"update core.match_result set known_at = '2020-01-01' where match_id in {ONE}"),
    WarehouseFault("a result without goals", "core_match_result.goals", "block",
        f"update core.match_result set home_goals = null where match_id in {ONE}"),
    WarehouseFault("a consensus nobody offers", "core_consensus.share_impossible", "block",
        f"update core.match_odds set overround = 0.5 where bookmaker = 'consensus' and match_id in {LATELY}"),
    WarehouseFault("goals that trebled lately", "core_competition.goals_z", "warn",
        f"update core.match_result set home_goals = home_goals + 4 where match_id in {LATELY}"),
    WarehouseFault("away sides that win no more", "core_competition.home_win_z", "warn",
        f"update core.match_result set outcome = 'home' where match_id in {LATELY}"),
    WarehouseFault("a day with four times its matches", "core_volume.excess", "warn",
        "update core.match set kickoff_on = '2022-10-29' where competition = 'E0' "
        "and kickoff_on between '2022-10-08' and '2022-10-28'"),
]  # fmt: skip

FEATURES = [
    WarehouseFault("features that know the future", "match_features.seconds_to_kickoff", "block",
        "update features.match_features set features_as_of = kickoff_at + interval '1 minute' "
        f"where match_id in {ONE}"),
    WarehouseFault("features of a later build", "match_features.seconds_before_as_of", "block",
        f"update features.match_features set features_as_of = '2022-11-05' where match_id in {AHEAD}"),
    WarehouseFault("a rating out of this world", "match_features.home_elo", "block",
        f"update features.match_features set home_elo = 9000 where match_id in {AHEAD}"),
    WarehouseFault("a pi-rating that is no number", "match_features.away_pi", "block",
        f"update features.match_features set away_pi = 'NaN' where match_id in {AHEAD}"),
    WarehouseFault("more points than matches give", "match_features.home_points_5", "block",
        f"update features.match_features set home_points_5 = 3.2 where match_id in {AHEAD}"),
    WarehouseFault("a season past its end", "match_features.season_progress", "block",
        f"update features.match_features set season_progress = 1.5 where match_id in {AHEAD}"),
    WarehouseFault("a market price below one", "match_features.lowest_price", "block",
        f"update features.match_features set market_price_draw = 0.4 where match_id in {AHEAD}"),
    WarehouseFault("a fixture without features", "feature_coverage.n_missing", "block",
        f"delete from features.match_features where match_id in {AHEAD}"),
]  # fmt: skip


def cell(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Change one cell of the first row."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: [value, *frame[column].iloc[1:]]})

    return change


def copy_first(frame: pd.DataFrame) -> pd.DataFrame:
    """The first row once more."""
    return pd.concat([frame, frame.iloc[:1]], ignore_index=True)


def play_later(frame: pd.DataFrame) -> pd.DataFrame:
    """The first match is played after the training."""
    return cell("kickoff_at", frame["kickoff_at"].iloc[0] + pd.Timedelta(days=300))(frame)


TRAINING = [
    OutputFault("an outcome that contradicts its goals", "training_set.n_contradictions", "block", cell("outcome", 2)),
    OutputFault("a match without outcome", "training_set.outcome", "block", cell("outcome", float("nan"))),
    OutputFault("a match of the future to learn from", "training_set.seconds_before_as_of", "block", play_later),
    OutputFault("closing prices of another match", "training_set.closing_overround", "block",
                cell("closing_price_home", 30.0)),
    OutputFault("a match twice in a training set", "training_set.match_id", "block", copy_first),
    OutputFault("goals of another sport to learn from", "training_set.goals", "warn",
                lambda frame: frame.assign(home_goals=frame["home_goals"] + 40, outcome=0)),
]  # fmt: skip

PREDICTIONS = [
    OutputFault("a probability above one", "predictions.p_home", "block", cell("p_home", 1.2)),
    OutputFault("probabilities that do not sum to one", "predictions.p_sum", "block", cell("p_sum", 0.99)),
    OutputFault("a scoreline grid with a hole", "predictions.grid_sum", "block", cell("grid_sum", 0.9)),
    OutputFault("no expected goals", "predictions.expected_home_goals", "block",
                cell("expected_home_goals", float("nan"))),
    OutputFault("a prediction after kick-off", "predictions.seconds_to_kickoff", "block",
                cell("seconds_to_kickoff", -60.0)),
    OutputFault("a match predicted twice", "predictions.expect_compound_columns_to_be_unique", "block", copy_first),
    OutputFault("a forecast too bold", "predictions.p_home", "warn", cell("p_home", 0.99)),
]  # fmt: skip
