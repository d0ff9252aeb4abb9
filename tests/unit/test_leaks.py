"""Nothing knows the future: results shuffled after an instant change no state and no forecast before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from matchday_permutations import features_that_know_the_result
from touchline.features.catalogue import CATALOGUE, FEATURES, SIDES
from touchline.forecasting.logistic import softmax
from touchline.forecasting.specs import ladder
from touchline.forecasting.walk_forward import probability_columns, walk_forward
from touchline.ratings.compiled import STATE_COLUMNS
from touchline.ratings.engine import Result, State, rate
from training_frames import QUICK, simulated_matches

TEAMS = "abcdefghijkl"
N_SEASONS, A_ROUND = 4, len(TEAMS) // 2
A_SEASON = len(TEAMS) * (len(TEAMS) - 1)
# In the middle of the last season.
PLACE = N_SEASONS * A_SEASON - A_SEASON // 2


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """Four seasons of twelve teams whose matches are all decided by chance; six kick off together every third day."""
    rng = np.random.default_rng(1)
    played = []
    for season in range(N_SEASONS):
        pairs = list(permutations(TEAMS, 2))
        rng.shuffle(pairs)
        for number, (home, away) in enumerate(pairs):
            kickoff_at = datetime(2015 + season, 8, 1, 15, tzinfo=UTC) + timedelta(
                days=3 * (number // A_ROUND)
            )
            played.append(_result(home, away, int(kickoff_at.timestamp()) * 1_000_000, rng))
    return played


@pytest.fixture(scope="module")
def shuffled(results: list[Result]) -> list[Result]:
    """The same matches; from `PLACE` on each has what came of another of them, closing prices among it."""
    return _shuffled(results, slice(PLACE, None))


@pytest.fixture(scope="module")
def forecasts(results: list[Result]) -> pd.DataFrame:
    return _forecasts(results)


def test_states_before_an_instant_are_bit_for_bit_the_same(results: list[Result], shuffled: list[Result]):
    before, after = rate(results, {}), rate(shuffled, {})
    assert before[: 2 * PLACE] == after[: 2 * PLACE]
    assert before[2 * PLACE :] != after[2 * PLACE :]


@pytest.mark.slow
def test_forecasts_before_an_instant_are_bit_for_bit_the_same(
    forecasts: pd.DataFrame, shuffled: list[Result]
):
    again = _forecasts(shuffled)
    for name in ladder():
        columns = probability_columns(name)
        is_early = forecasts["match_id"] < _match_id(PLACE)
        assert 0 < is_early.sum() < len(forecasts)
        assert forecasts.loc[is_early, columns].notna().all(axis=None)
        pd.testing.assert_frame_equal(
            forecasts.loc[is_early, columns], again.loc[is_early, columns], check_exact=True
        )
        if not name.startswith("market"):
            assert not forecasts.loc[~is_early, columns].equals(again.loc[~is_early, columns])


@pytest.mark.slow
def test_results_shuffled_before_an_instant_do_change_the_forecasts_after_it(
    results: list[Result], forecasts: pd.DataFrame
):
    names = ("elo", "no_odds", "with_odds")
    again = _forecasts(_shuffled(results, slice(PLACE - 5 * A_ROUND, PLACE)), names)
    is_late = forecasts["match_id"] >= _match_id(PLACE)
    for name in names:
        columns = probability_columns(name)
        assert not np.allclose(forecasts.loc[is_late, columns], again.loc[is_late, columns])


@pytest.mark.parametrize("seed", [1, 2])
def test_honest_features_go_with_their_own_result_no_more_than_by_chance(seed: int):
    assert features_that_know_the_result(_kicking_off_together(seed), seed=1) == []


@pytest.mark.parametrize("feature", ["home_elo", "away_market_error", "competition_home_goals"])
def test_a_feature_that_knows_its_own_result_a_little_is_the_only_one_found(feature: str):
    """So blurred that its correlation with the outcome is a sixth."""
    honest = _kicking_off_together(seed=1)
    blurred = honest["outcome"] + np.random.default_rng(1).normal(0, 5, len(honest))
    assert features_that_know_the_result(honest.assign(**{feature: blurred}), seed=1) == [feature]


def _kicking_off_together(seed: int) -> pd.DataFrame:
    """1,200 matches, thirty at a time."""
    matches = simulated_matches(seed=seed)
    return matches.assign(
        kickoff_at=matches["kickoff_at"].iloc[np.arange(len(matches)) // 30 * 30].to_numpy()
    )


def _result(home: str, away: str, kickoff_at: int, rng: np.random.Generator) -> Result:
    """Goals, shots and cards by chance; prices by chance, the closing one near the one before."""
    on_target, prices = rng.integers(0, 10, 2), rng.normal([0.4, -0.3], [0.5, 0.05])
    close = prices + rng.normal(0, 0.1, 2)
    return Result(
        1, home, away, *rng.poisson(1.4, 2).tolist(), *on_target.tolist(),
        *(on_target + rng.integers(0, 10, 2)).tolist(), *rng.integers(0, 10, 2).tolist(),
        *rng.integers(0, 5, 2).tolist(), *rng.integers(0, 2, 2).tolist(), *prices.tolist(), *close.tolist(), kickoff_at,
    )  # fmt: skip


def _shuffled(results: list[Result], where: slice) -> list[Result]:
    """What is known before kick-off stays: sides, kick-off, pre-match prices."""
    told = {"tier", "home_team_id", "away_team_id", "kickoff_at", "prematch_supremacy", "prematch_draw"}
    chosen = results[where]
    others = np.random.default_rng(2).permutation(len(chosen))
    changed = [
        each._replace(**{name: value for name, value in chosen[other]._asdict().items() if name not in told})
        for each, other in zip(chosen, others, strict=True)
    ]
    return [*results[: where.start], *changed, *results[where.stop or len(results) :]]


def _forecasts(results: list[Result], names: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Forecasts of the last season, fitted anew every week, from features made of the results alone."""
    return walk_forward(_frame(results), ["2018/19"], QUICK, refit="weekly", names=names)


def _frame(results: list[Result]) -> pd.DataFrame:
    """A training frame in which all that comes from states is as the states before each match are."""
    last: dict[str, State] = {}
    after = iter(rate(results, {}))
    rows = []
    for number, each in enumerate(results):
        states = last.get(each.home_team_id), last.get(each.away_team_id)
        rows.append(
            _row(number, each) | {k: v for part in map(_features, SIDES, states) for k, v in part.items()}
        )
        last[each.home_team_id], last[each.away_team_id] = next(after), next(after)
    return pd.DataFrame(rows).reindex(columns=[*dict.fromkeys([*rows[-1], *FEATURES])])


def _features(side: str, state: State | None) -> dict[str, float]:
    if state is None:
        return {}
    known = dict(zip(STATE_COLUMNS, state, strict=True))
    rating = f"{side}_rating."
    return {
        feature.name: known[feature.taken_from.removeprefix(rating)]
        for feature in CATALOGUE
        if feature.taken_from.startswith(rating)
    }


def _match_id(number: int) -> str:
    return f"{number:06d}"


def _row(number: int, result: Result) -> Mapping[str, object]:
    kickoff_at = pd.Timestamp(result.kickoff_at, unit="us", tz="UTC")
    ahead = result.home_goals - result.away_goals
    year = kickoff_at.year - (kickoff_at.month < 8)
    row: dict[str, object] = {
        "match_id": _match_id(number), "competition": "E0", "season": f"{year}/{(year + 1) % 100}",
        "kickoff_at": kickoff_at, "home_team": result.home_team_id, "away_team": result.away_team_id,
        "outcome": 0 if ahead > 0 else 1 if ahead == 0 else 2, "competition_tier": 1.0,
        "home_goals": result.home_goals, "away_goals": result.away_goals,
    }  # fmt: skip
    for stage, names in (("prematch", ("market_price",)), ("closing", ("closing_price", "closing_pinnacle"))):
        half, draw = getattr(result, f"{stage}_supremacy") / 2, getattr(result, f"{stage}_draw")
        prices = 1 / (1.05 * softmax(np.array([[half, draw, -half]]))[0])
        for name in names:
            row |= dict(zip((f"{name}_home", f"{name}_draw", f"{name}_away"), prices, strict=True))
    return row
