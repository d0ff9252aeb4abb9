"""Features that have seen the outcome are found, honest ones are not suspected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from touchline.registry.leakage import leaking_features
from training_frames import simulated_matches, without_prices


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    return simulated_matches(n_seasons=3)


def suspected(matches: pd.DataFrame) -> list[str]:
    return [leak.subject.removeprefix("feature ") for leak in leaking_features(matches, seed=1)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_honest_frame_is_not_suspected(seed: int):
    honest = simulated_matches(n_seasons=3, seed=seed)
    assert suspected(honest) == []
    assert suspected(without_prices(honest)) == []


def test_a_planted_outcome_is_found_with_and_without_prices(matches: pd.DataFrame):
    planted = matches.assign(away_rest_days=matches["outcome"].astype("float64"))
    assert suspected(planted) == ["away_rest_days"]
    assert suspected(without_prices(planted)) == ["away_rest_days"]


def test_an_outcome_in_other_words_is_found(matches: pd.DataFrame):
    """Reordered, scaled, blurred, or known for a third of the matches only."""
    rng = np.random.default_rng(1)
    told = pd.Series(np.array([7.0, -3.0, 2.0])[matches["outcome"]])
    for disguise in (
        told * 1000,
        told + rng.normal(0, 2, len(told)),
        told.where(rng.random(len(told)) < 0.33),
    ):
        assert suspected(matches.assign(home_n_matches_14d=disguise)) == ["home_n_matches_14d"]


def test_what_only_the_final_whistle_tells_is_found(matches: pd.DataFrame):
    goals = matches["home_goals"].astype("float64")
    assert suspected(matches.assign(home_goals_for_5=goals)) == ["home_goals_for_5"]


def test_a_strong_but_honest_feature_is_left_alone(matches: pd.DataFrame):
    """The closing price itself as a feature: a fault of another kind, but no outcome."""
    assert suspected(matches.assign(home_elo=1 / matches["closing_price_home"])) == []


def test_prices_that_point_the_wrong_way_make_no_feature_suspect(matches: pd.DataFrame):
    closing = ["closing_price_home", "closing_price_draw", "closing_price_away"]
    turned = matches.copy()
    turned[closing] = turned[closing[::-1]].to_numpy()
    assert suspected(turned) == []


def test_a_feature_that_is_never_known_says_nothing(matches: pd.DataFrame):
    assert suspected(matches.assign(month=np.nan)) == []
