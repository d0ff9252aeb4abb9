"""A frame as walk_forward returns it, of matches whose true probabilities are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.walk_forward import probability_columns

FIRST_YEAR = 2018
OVERROUND = 1.05
# How far each forecast's log-odds are from the truth: the further, the worse.
NOISE = {
    "elo": 0.45, "no_odds": 0.35, "market_prematch": 0.25, "with_odds": 0.18, "market_closing": 0.12,
    "market_closing_pinnacle": 0.11, "last_price": 0.1,
}  # fmt: skip


def simulated_predictions(n: int = 4000, seed: int = 1) -> pd.DataFrame:
    """`n` matches of two competitions in two seasons, five a day; every price exists.

    Forecasts: base_rates, those of `NOISE`, and `truth`, which knows the probabilities outcomes are drawn from.
    Consensus prices have an overround of 5 %, best prices none.
    """
    rng = np.random.default_rng(seed)
    gap = rng.normal(0, 0.6, n)
    scores = np.column_stack([0.45 + gap, np.full(n, 0.05), -gap])
    truth = softmax(scores)
    a_season = n // 2
    day = np.arange(n) % a_season // 5
    starts = pd.to_datetime([f"{FIRST_YEAR + int(k >= a_season)}-08-01 15:00" for k in range(n)], utc=True)
    frame = pd.DataFrame(
        {
            "match_id": [f"match-{number:06d}" for number in range(n)],
            "competition": rng.choice(["E0", "E1"], n),
            "season": np.where(np.arange(n) < a_season, "2018/19", "2019/20"),
            "kickoff_at": starts + pd.to_timedelta(day, unit="h") * 20,
            "home_team": rng.choice([f"home {k}" for k in range(10)], n),
            "away_team": rng.choice([f"away {k}" for k in range(10)], n),
            "outcome": (rng.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1),
        }
    )
    frame["learned_until"] = frame.groupby("season")["kickoff_at"].transform("min") - pd.Timedelta("1D")
    with_forecast(frame, "base_rates", np.tile(truth.mean(axis=0), (n, 1)))
    for name, noise in NOISE.items():
        with_forecast(frame, name, softmax(scores + rng.normal(0, noise, (n, 3))))
    with_forecast(frame, "truth", truth)
    for prefix, market in (("price", "market_prematch"), ("closing_price", "market_closing")):
        fair = 1 / frame[probability_columns(market)].to_numpy(dtype=np.float64)
        with_prices(frame, f"best_{prefix}", fair)
        with_prices(frame, prefix, fair / OVERROUND)
    return frame


def with_forecast(frame: pd.DataFrame, name: str, probabilities: Floats) -> pd.DataFrame:
    """The frame itself, with the columns of a forecast set."""
    frame[probability_columns(name)] = probabilities
    return frame


def with_prices(frame: pd.DataFrame, prefix: str, prices: Floats) -> pd.DataFrame:
    """The frame itself, with three price columns set."""
    frame[[f"{prefix}_{outcome}" for outcome in OUTCOMES]] = prices
    return frame
