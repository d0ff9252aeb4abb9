"""Rows of the ledger and their numbers, without a database."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from predictions import registered
from touchline.clock import virtual_clock
from touchline.features.catalogue import FEATURES
from touchline.features.online import FeatureRead
from touchline.ledger.predict import PredictReport
from touchline.ledger.prediction import gate_frame, predictions_of
from touchline.ledger.settle import SettleReport

NOON = virtual_clock(datetime(2022, 11, 1, 12, tzinfo=UTC))
KICKOFF = datetime(2022, 11, 2, 15, tzinfo=UTC)


def fixture(home_team: str) -> dict[str, Any]:
    return {
        "match_id": f"id of {home_team}", "competition": "E0", "season": "2022/23", "home_team": home_team,
        "away_team": "Leeds", "kickoff_at": KICKOFF, "is_simulated": False,
        "features_as_of": NOON.as_of - timedelta(hours=1),
    }  # fmt: skip


def features(**values: list[float]) -> FeatureRead:
    """Features of two matches; what is not given is unknown."""
    frame = pd.DataFrame(values, index=["first", "second"], dtype="float64").reindex(columns=list(FEATURES))
    return FeatureRead(frame, "online")


PRICES = {
    "market_price_home": [2.0, math.nan], "market_price_draw": [3.4, math.nan], "market_price_away": [4.0, math.nan],
}  # fmt: skip
RATED = features(home_elo=[1700, 1400], away_elo=[1500, 1600], **PRICES)


def made(read: FeatureRead = RATED, role: str = "champion", version: str = "1") -> list[dict[str, Any]]:
    return list(
        predictions_of([fixture("Arsenal"), fixture("Fulham")], read, registered(version), role, NOON, "run")
    )


def test_a_champion_speaks_with_all_its_forecasts_a_challenger_with_its_best():
    assert [(row["home_team"], row["forecast"], row["role"]) for row in made()] == [
        ("Arsenal", "elo", "champion"), ("Fulham", "elo", "champion"),
        ("Arsenal", "market", "baseline"), ("Fulham", "market", "baseline"),
    ]  # fmt: skip
    assert {(row["forecast"], row["role"]) for row in made(role="challenger")} == {("elo", "challenger")}


def test_each_row_holds_the_numbers_of_its_own_match():
    arsenal, fulham = made()[:2]
    assert arsenal["p_home"] > fulham["p_home"]
    expected = registered().forecaster.predict(RATED.frame)["elo"]
    assert [fulham[name] for name in ("p_home", "p_draw", "p_away")] == list(expected.probabilities[1])
    assert fulham["scoreline_grid"] is not arsenal["scoreline_grid"]
    assert np.array_equal(fulham["scoreline_grid"], expected.grid[1])
    assert (fulham["expected_home_goals"], fulham["expected_away_goals"]) == tuple(expected.expected_goals[1])


def test_where_a_forecast_cannot_say_the_row_is_nan():
    market = [row for row in made() if row["forecast"] == "market"]
    assert [math.isnan(row["p_home"]) for row in market] == [False, True]


def test_a_prediction_is_dated_by_the_clock_and_its_features_by_their_build():
    row = made()[0]
    assert (row["predicted_at"], row["features_as_of"]) == (NOON.as_of, NOON.as_of - timedelta(hours=1))
    assert row["clock"] == "virtual"


def test_the_hash_is_that_of_the_features_whatever_their_order():
    shuffled = FeatureRead(RATED.frame[list(reversed(FEATURES))], "offline")
    assert [row["feature_hash"] for row in made()] == [row["feature_hash"] for row in made(shuffled)]
    assert len({row["feature_hash"] for row in made()}) == 2
    nudged = features(home_elo=[1700.0000001, 1400], away_elo=[1500, 1600], **PRICES)
    assert made(nudged)[0]["feature_hash"] != made()[0]["feature_hash"]
    assert made(nudged)[1]["feature_hash"] == made()[1]["feature_hash"]


def test_unknown_features_are_stored_as_null():
    assert '"home_elo":1700.0' in made()[0]["features"]
    assert '"market_price_home":null' in made()[1]["features"]
    assert "NaN" not in made()[1]["features"]


def test_ids_sort_in_the_order_of_creation():
    ids = [row["prediction_id"] for row in made()]
    assert ids == sorted(ids)
    assert len(set(ids)) == 4


def test_the_gate_sees_one_row_a_prediction():
    frame = gate_frame([row for row in made() if not math.isnan(row["p_home"])])
    assert frame["row_key"].iloc[0] == "E0 Arsenal Leeds elo"
    assert frame["p_sum"].to_numpy() == pytest.approx(1)
    assert frame["grid_sum"].to_numpy() == pytest.approx(1)
    assert set(frame["seconds_to_kickoff"]) == {27 * 3600.0}


def test_the_report_of_a_batch_counts_and_gives_reasons():
    reasons = {str(number): f"match {number} kicked off" for number in range(7)}
    report = PredictReport("2022-11-01", "3", 9, 20, 4, 7, 2, "online", reasons)
    assert (
        "9 fixtures as of 2022-11-01: 20 predictions written, 4 already there, 7 fixtures refused"
        in report.summary
    )
    assert "match 4 kicked off" in report.summary
    assert "match 5 kicked off" not in report.summary


def test_without_a_champion_the_report_says_what_makes_one():
    assert "train_models" in PredictReport("2022-11-01", None, 0, 0, 0, 0, 0, None).summary


def test_the_report_of_settling_gives_the_champions_means_when_there_are_any():
    assert "RPS" not in SettleReport("2022-11-01", 0, 0, 5, 0, None, None).summary
    assert "The champion's 2: mean RPS 0.2000" in SettleReport("2022-11-01", 4, 0, 5, 2, 0.2, 1.0).summary
