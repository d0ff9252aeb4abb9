"""A training frame as features.training.training_frame gives it, of a small world whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from touchline.features.catalogue import FEATURES
from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import OUTCOMES
from touchline.forecasting.no_odds import TREES, NoOddsParameters
from touchline.forecasting.residual import RESIDUAL_TREES, ResidualParameters
from touchline.forecasting.scoreline import match_result, scoreline_grid
from touchline.forecasting.specs import ForecasterParameters
from touchline.forecasting.with_odds import MovementParameters, WithOddsParameters
from touchline.ratings.compiled import SIGNALS
from touchline.ratings.strength import STRENGTHS

# Few trees: a test wants to know what they look at, not how good they get.
FEW_TREES = ResidualParameters(trees=replace(RESIDUAL_TREES, rounds=5), bags=1)
QUICK = ForecasterParameters(
    no_odds=NoOddsParameters(trees=replace(TREES, rounds=5)),
    with_odds=WithOddsParameters(movement=MovementParameters(fewest_moves=200), residual=FEW_TREES),
    last_price=FEW_TREES,
)
FIRST_YEAR = 2015
OVERROUND = 1.05


def simulated_matches(n_seasons: int = 4, n_a_season: int = 300, seed: int = 1) -> pd.DataFrame:
    """Matches of two competitions, in time order; ratings see the truth dimly, closing prices best.

    Every match has every price; features that are not set here are noise.
    """
    rng = np.random.default_rng(seed)
    n = n_seasons * n_a_season
    gap = np.clip(rng.normal(0, 0.7, n), -1.8, 1.8)
    truth = _probabilities(gap)
    outcome = (rng.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    season = np.repeat(np.arange(n_seasons), n_a_season)
    days = np.tile(np.sort(rng.integers(0, 280, n_a_season)), n_seasons)
    starts = pd.to_datetime([f"{FIRST_YEAR + year}-08-01 15:00" for year in season], utc=True)
    matches = pd.DataFrame(
        {
            "match_id": [f"match-{seed}-{number:06d}" for number in range(n)],
            "competition": rng.choice(["E0", "E1"], n),
            "season": [f"{FIRST_YEAR + year}/{(FIRST_YEAR + year + 1) % 100:02d}" for year in season],
            "kickoff_at": starts + pd.to_timedelta(days, unit="D"),
            "home_team": rng.choice(["Arsenal", "Burnley", "Chelsea"], n),
            "away_team": rng.choice(["Derby", "Everton", "Fulham"], n),
            "outcome": outcome,
            "home_goals": np.where(outcome == 0, 2, 1),
            "away_goals": np.where(outcome == 2, 2, 1),
        }
    )
    features = pd.DataFrame(rng.normal(0, 1, (n, len(FEATURES))), columns=list(FEATURES))
    # All speeds see the same: many independent views together would know more than the close, as a leak does.
    strength = gap + rng.normal(0, 0.6, n)
    for side, sign in (("home", 1), ("away", -1)):
        features[f"{side}_elo"] = 1500 + sign * 90 * (gap + rng.normal(0, 0.5, n))
        features[f"{side}_form_points_long"] = 1.4 + sign * 0.3 * (gap + rng.normal(0, 0.8, n))
        for speed in STRENGTHS:
            for kind in ("attack", "defence"):
                features[f"{side}_{kind}_{speed}"] = sign * 0.25 * strength
        for signal in SIGNALS:
            features[f"{side}_level_{signal}"], features[f"{side}_home_advantage_{signal}"] = 0.1, 0.25
        features[f"{side}_n_career"] = 100.0
    features["competition_tier"] = 1.0
    for prices, noise in (
        ("market_price", 0.25), ("market_pinnacle", 0.22), ("market_b365", 0.28), ("market_maximum", 0.25),
        ("closing_price", 0.08), ("closing_pinnacle", 0.05),
    ):  # fmt: skip
        seen = _probabilities(np.clip(gap + rng.normal(0, noise, n), -1.8, 1.8))
        for k, name in enumerate(OUTCOMES):
            features[f"{prices}_{name}"] = 1 / (seen[:, k] * OVERROUND)
    for consensus, best in (("market_price", "best_price"), ("closing_price", "best_closing_price")):
        for name in OUTCOMES:
            features[f"{best}_{name}"] = features[f"{consensus}_{name}"] * rng.uniform(1.01, 1.08, n)
    features["market_price_hours"] = 24.0
    features["market_price_over"], features["market_price_under"] = 1.9, 1.95
    features["market_handicap_home"], features["market_handicap_away"] = 1.92, 1.96
    return pd.concat([matches, features], axis=1).sort_values(["kickoff_at", "match_id"], ignore_index=True)


def corrected(matches: pd.DataFrame, goals: int = 1) -> pd.DataFrame:
    """More goals in the last match: other data, and the same forecasts of all held-out matches."""
    last = matches.index[-1]
    return matches.assign(
        home_goals=matches["home_goals"].where(matches.index != last, matches["home_goals"] + goals)
    )


def without_prices(matches: pd.DataFrame) -> pd.DataFrame:
    """The same matches as a league without a market knows them."""
    names = [name for name in matches if str(name).startswith(("market_", "closing_", "best_"))]
    return matches.assign(**dict.fromkeys(names, np.nan))


def _probabilities(gap: Floats) -> Floats:
    rates = np.column_stack([np.exp(0.35 + gap / 2), np.exp(0.1 - gap / 2)])
    return match_result(scoreline_grid(rates))
