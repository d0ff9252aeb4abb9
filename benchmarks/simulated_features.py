"""Features of a year of matches, and of the four weeks after it, between other teams that are as good and as bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from touchline.features.catalogue import MARKET_FEATURES, RATING_FEATURES
from touchline.forecasting.logistic import Floats
from touchline.monitoring.feature_drift import COMPARED

N_COMPETITIONS = 12
TEAMS_A_COMPETITION = 20
ROUNDS_BEFORE, ROUNDS_NOW = 38, 4
LAST_KICKOFF = datetime(2026, 3, 1, 15, tzinfo=UTC)
# What is simulated of the features that are compared; the rest are weighted sums of the same strengths.
SIMULATED = tuple(name for name in (*RATING_FEATURES, *MARKET_FEATURES) if name in COMPARED)


def simulated_features(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(before, now): one row a match with home_team, kickoff_at and the `SIMULATED` features.

    Each feature mixes the strengths of both sides, which hardly move within a year, and noise of the match: two
    matches of a team have much in common. Now other teams play, drawn as the first ones were: nothing has changed,
    but there are fewer independent observations than matches. `market_n_bookmakers` is a small whole number,
    `market_spread` often unknown.
    """
    random = np.random.default_rng(seed)
    n_teams = N_COMPETITIONS * TEAMS_A_COMPETITION
    mixture = random.normal(0, 1, (3, len(SIMULATED)))
    before, now = (
        pd.concat(
            [
                _round(random, strength, mixture, LAST_KICKOFF - timedelta(days=7 * back))
                for back in reversed(weeks)
            ]
        )
        for weeks in (range(ROUNDS_NOW, ROUNDS_NOW + ROUNDS_BEFORE), range(ROUNDS_NOW))
        for strength in [random.normal(0, 1, n_teams)]
    )
    return before, now


def _round(
    random: np.random.Generator, strength: Floats, mixture: Floats, kickoff_at: datetime
) -> pd.DataFrame:
    strength += random.normal(0, 0.05, len(strength))
    drawn = random.permuted(np.arange(len(strength)).reshape(N_COMPETITIONS, -1), axis=1)
    home, away = drawn[:, ::2].ravel(), drawn[:, 1::2].ravel()
    noise = random.normal(0, 0.5, (len(home), len(SIMULATED)))
    values = (
        np.column_stack([strength[home], strength[away], random.normal(0, 1, len(home))]) @ mixture + noise
    )
    frame = pd.DataFrame(values, columns=list(SIMULATED))
    frame["market_n_bookmakers"] = np.clip(np.round(30 + values[:, 0]), 25, 35)
    frame.loc[random.random(len(home)) < 0.3, "market_spread"] = np.nan
    return frame.assign(home_team=[f"team {number}" for number in home], kickoff_at=kickoff_at)
