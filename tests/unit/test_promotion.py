"""The gate: who is promoted, who stays in the shadow, who is refused, on predictions whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from touchline.forecasting.logistic import Floats, softmax
from touchline.forecasting.specs import ladder
from touchline.forecasting.walk_forward import probability_columns
from touchline.registry.leakage import Leak
from touchline.registry.promotion import Contestant, Rules, judge
from touchline.registry.training_set import gate_seasons

RULES = Rules(confidence=0.95, patience=timedelta(days=14), seed=1)
UNTIL = datetime(2023, 5, 28, 15, tzinfo=UTC)
# Standard deviation of the error of each forecast's log-odds: how dimly it sees the truth.
DIMNESS = {
    "market_closing_pinnacle": 0.05,
    "market_closing": 0.1,
    "market_prematch": 0.15,
    "elo": 0.5,
    "no_odds": 0.4,
}


@cache
def _world(n: int = 3000) -> tuple[Floats, Floats, pd.DataFrame]:
    """True log-odds and a standard error of (n, 3) each, and the matches."""
    rng = np.random.default_rng(5)
    truth = rng.normal(0, 0.6, (n, 3))
    outcome = (rng.random(n)[:, None] > softmax(truth).cumsum(axis=1)).sum(axis=1)
    matches = pd.DataFrame({
        "match_id": [f"match-{number}" for number in range(n)],
        "competition": "E0",
        "season": np.where(np.arange(n) < n // 2, "2021/22", "2022/23"),
        "kickoff_at": pd.Timestamp("2021-08-01 15:00", tz="UTC") + pd.to_timedelta(np.arange(n) // 10, unit="D"),
        "outcome": outcome,
    })  # fmt: skip
    return truth, rng.normal(0, 1, (n, 3)), matches


def seeing(dimness: float, own: float = 0.0) -> Floats:
    """Probabilities as seen with an error of `dimness`; `own` adds an error that no other forecast has."""
    truth, error, _ = _world()
    return softmax(truth + dimness * error + own * np.random.default_rng(8).normal(0, 1, truth.shape))


def contestant(p: Floats, recipe: str = "recipe", has_prices: bool = True, **changes: Any) -> Contestant:
    """A version whose with_odds forecast is `p`."""
    truth, _, matches = _world()
    found = {name: seeing(dimness) for name, dimness in DIMNESS.items()}
    found |= {"base_rates": np.full(truth.shape, 1 / 3), "with_odds": p}
    columns = {
        column: np.nan if name.startswith("market") and not has_prices else found[name][:, k]
        for name in ladder()
        if name in found
        for k, column in enumerate(probability_columns(name))
    }
    return replace(Contestant(matches.assign(**columns), "with_odds", recipe, UNTIL), **changes)


GOOD = seeing(0.13)
BETTER = seeing(0.02)
WORSE = seeing(0.14, own=0.12)


def test_the_first_version_is_promoted_when_it_is_as_good_as_the_market():
    verdict = judge(contestant(GOOD), None, (), RULES)
    assert verdict.state == "promoted"
    assert "against market on 1,500 matches" in verdict.reason


def test_the_champions_recipe_on_newer_data_needs_only_not_to_be_worse():
    slightly_other = seeing(0.131)
    assert judge(contestant(slightly_other), contestant(GOOD), (), RULES).state == "promoted"
    verdict = judge(contestant(WORSE), contestant(BETTER), (), RULES)
    assert verdict.state == "challenger"
    assert "worse" in verdict.reason


def test_what_was_made_otherwise_has_to_be_better():
    champion = contestant(GOOD)
    verdict = judge(contestant(seeing(0.131), "other"), champion, (), RULES)
    assert verdict.state == "challenger"
    assert "another recipe" in verdict.reason
    better = judge(contestant(seeing(0.08), "other"), champion, (), RULES)
    assert better.state == "promoted"
    assert better.comparison is not None
    assert better.comparison.p_better >= RULES.confidence
    assert better.comparison.difference.high < 0.001


def test_other_code_that_forecasts_the_same_is_the_same_model():
    assert judge(contestant(GOOD, "refactored"), contestant(GOOD), (), RULES).state == "promoted"


def test_a_champion_that_has_not_learnt_for_long_gives_way_to_what_is_not_worse():
    other = contestant(seeing(0.131), "other")
    for days, state in ((14, "challenger"), (15, "promoted")):
        champion = contestant(GOOD, trained_until=UNTIL - timedelta(days=days))
        assert judge(other, champion, (), RULES).state == state
    old = contestant(BETTER, trained_until=UNTIL - timedelta(days=400))
    assert judge(contestant(WORSE, "other"), old, (), RULES).state == "challenger"


def test_a_version_that_is_surely_behind_the_market_is_refused():
    verdict = judge(contestant(seeing(0.15, own=0.3)), None, (), RULES)
    assert (verdict.state, verdict.is_below_floor) == ("refused", True)
    assert "against market" in verdict.reason


def test_without_prices_base_rates_are_the_floor():
    passed = judge(contestant(seeing(0.5), has_prices=False), None, (), RULES)
    assert (passed.state, "against base rates" in passed.reason) == ("promoted", True)
    misled = judge(contestant(seeing(0.5)[:, ::-1], has_prices=False), None, (), RULES)
    assert (misled.state, misled.is_below_floor) == ("refused", True)


def test_a_forecast_that_knows_more_than_the_closing_market_is_refused():
    _, _, matches = _world()
    seen = np.eye(3)[matches["outcome"].to_numpy()]
    verdict = judge(contestant(0.9 * GOOD + 0.1 * seen), contestant(GOOD), (), RULES)
    assert (verdict.state, verdict.is_below_floor) == ("refused", False)
    assert "forecast with_odds is implausibly good" in verdict.reason
    unpriced = judge(contestant(0.3 * GOOD + 0.7 * seen, has_prices=False), None, (), RULES)
    assert "against base rates" in unpriced.reason
    assert unpriced.state == "refused"


def test_skill_and_luck_within_what_the_close_knows_are_not_refused():
    assert judge(contestant(BETTER), contestant(GOOD), (), RULES).state == "promoted"


def test_a_leaking_feature_is_enough_to_refuse():
    leak = Leak("feature home_elo", "the closing market", -0.9, -0.8, 0.01, 3000)
    verdict = judge(contestant(GOOD), None, (leak,), RULES)
    assert verdict.state == "refused"
    assert "feature home_elo is implausibly good" in verdict.reason


def test_without_a_common_match_nothing_is_proven_and_nothing_moves_until_the_champion_is_old():
    champion = contestant(GOOD)
    stranger = replace(champion, predictions=champion.predictions.assign(match_id="other"))
    assert judge(contestant(BETTER), stranger, (), RULES).state == "challenger"
    aged = replace(stranger, trained_until=UNTIL - timedelta(days=30))
    assert judge(contestant(BETTER), aged, (), RULES).state == "promoted"


@pytest.mark.parametrize(
    ("sizes", "compared"),
    [
        ({"2020/21": 400, "2021/22": 400, "2022/23": 300}, ["2022/23"]),
        ({"2020/21": 400, "2021/22": 400, "2022/23": 20}, ["2021/22", "2022/23"]),
        ({"2022/23": 20}, ["2022/23"]),
    ],
)
def test_a_season_that_has_just_begun_is_compared_together_with_the_one_before(
    sizes: dict[str, int], compared: list[str]
):
    seasons = np.repeat(list(sizes), list(sizes.values()))
    assert gate_seasons(pd.DataFrame({"season": seasons})) == compared
