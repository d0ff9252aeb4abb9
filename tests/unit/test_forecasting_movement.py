"""The movement expected until the close: learnt from past prices, and less the nearer the kick-off is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from touchline.forecasting.design import ModelInput
from touchline.forecasting.with_odds import HOURS_OF_MOVEMENT, WithOdds
from training_frames import QUICK, simulated_matches

NEAR = 3.0


@pytest.fixture(scope="module")
def matches() -> pd.DataFrame:
    """Half of the prices are of the day before; the others, of three hours before, have less left to move."""
    matches = simulated_matches(n_seasons=4, n_a_season=1000)
    is_near = np.arange(len(matches)) % 2 == 0
    still = np.where(is_near, 1 - np.exp(-NEAR / HOURS_OF_MOVEMENT), 1.0)
    for outcome in ("home", "draw", "away"):
        before = matches[f"market_price_{outcome}"]
        for close in ("closing_price", "closing_pinnacle"):
            moved = (matches[f"{close}_{outcome}"] / before) ** still
            matches[f"{close}_{outcome}"] = before * moved
    return matches.assign(market_price_hours=np.where(is_near, NEAR, 24.0))


@pytest.fixture(scope="module")
def model(matches: pd.DataFrame) -> WithOdds:
    return WithOdds.fit(ModelInput(matches), QUICK.with_odds, QUICK.seed)


@pytest.mark.parametrize("hours", [NEAR, 24.0])
def test_prices_move_as_far_as_is_expected_whenever_they_were_quoted(
    matches: pd.DataFrame, model: WithOdds, hours: float
):
    shown = ModelInput(matches[matches["market_price_hours"] == hours])
    assert model.movement is not None
    expected = model.movement.expected(shown.market)[:, 0] / model.movement.share
    moves = (shown.closing_coordinates - shown.prematch_coordinates)[:, 0]
    assert (moves @ expected) / (expected @ expected) == pytest.approx(1.0, abs=0.15)


def test_a_price_of_the_last_minute_does_not_move(matches: pd.DataFrame, model: WithOdds):
    last = ModelInput(matches.assign(market_price_hours=0.0))
    early = ModelInput(matches.assign(market_price_hours=24.0))
    assert model.movement is not None
    assert np.abs(model.movement.expected(last.market)).max() == 0
    assert np.abs(model.movement.expected(early.market)).mean() > 0.01
