"""Features that change are found, and those that only follow chance or the calendar are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from benchmarks.simulated_features import SIMULATED, simulated_features

from touchline.monitoring.feature_drift import COMPARED, compare, feature_drift, window_end
from touchline.settings import Settings

SHARE = Settings().drift.false_alarms / 4
# Before and now.
Look = tuple[pd.DataFrame, pd.DataFrame]


def of_features(rows: pd.DataFrame, **changes: float) -> pd.DataFrame:
    """The simulated features with those of the catalogue that are not simulated, unknown; some of them moved."""
    moved = {name: rows[name] + change for name, change in changes.items()}
    return rows.reindex(columns=["home_team", "kickoff_at", *COMPARED]).assign(**moved)


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    """Nothing has changed between before and now, but that other teams play."""
    return [simulated_features(seed) for seed in range(24)]


def is_significant(look: Look) -> bool:
    return min(each.p_adjusted for each in compare(*look, SIMULATED)) < 0.2


def share_of_features_below_a_twentieth(looks: list[Look]) -> float:
    """Each feature asked alone, so that its p-value is not adjusted for the others; every sixth will do."""
    alone = [compare(*look, [feature])[0].p_adjusted for look in looks for feature in SIMULATED[::6]]
    return float(np.mean(np.array(alone) < 0.05))


@pytest.mark.slow
def test_other_teams_as_good_and_as_bad_alarm_no_more_often_than_promised(looks: list[Look]):
    assert sum(map(is_significant, looks)) / len(looks) <= 0.2


@pytest.mark.slow
@pytest.mark.nightly  # By day how often the whole look alarms, just above.
def test_the_p_value_of_a_feature_holds_because_a_team_counts_once_in_four_weeks(looks: list[Look]):
    assert share_of_features_below_a_twentieth(looks) <= 0.05
    # Were each match an observation of its own, one team's good form would be many.
    before, now = (
        [look[place].assign(home_team=range(len(look[place]))) for look in looks] for place in (0, 1)
    )
    assert share_of_features_below_a_twentieth(list(zip(before, now, strict=True))) > 0.1


@pytest.mark.parametrize("change", ["moved by one standard deviation", "a tenth as wide", "unknown"])
def test_a_feature_that_changes_drifts_and_the_others_do_not(change: str):
    before, now = (of_features(rows) for rows in simulated_features(1))
    elo, middle, spread = now["home_elo"], before["home_elo"].mean(), before["home_elo"].std()
    now["home_elo"] = {
        "moved by one standard deviation": elo + spread,
        "a tenth as wide": middle + (elo - middle) / 10,
        "unknown": elo.where(np.arange(len(elo)) % 2 == 0),
    }[change]
    findings = feature_drift(before, now, Settings(), SHARE)
    assert [each.subject for each in findings] == list(COMPARED)
    assert [each.subject for each in findings if each.is_drift] == ["home_elo"]


def test_a_difference_that_is_significant_but_small_is_no_drift():
    random = np.random.default_rng(1)
    teams, at = [f"team {number}" for number in range(20_000)], datetime(2026, 3, 1, tzinfo=UTC)
    before, now = (
        of_features(pd.DataFrame({"home_team": teams, "kickoff_at": at, "home_elo": random.normal(mean, 1, 20_000)}))
        for mean in (0.0, 0.2)
    )  # fmt: skip
    elo = next(each for each in feature_drift(before, now, Settings(), SHARE) if each.subject == "home_elo")
    assert elo.detail["p_adjusted"] < elo.detail["level"]
    assert elo.value < 0.25
    assert not elo.is_drift


def test_what_follows_the_calendar_is_not_compared():
    assert not {"season_progress", "home_rest_days", "away_n_played", "market_price_hours"} & set(COMPARED)
    assert {"home_elo", "away_shots_for_5", "away_move_last", "market_price_home"} <= set(COMPARED)


def test_all_looks_of_a_week_end_at_the_same_monday():
    looks = [datetime(2025, 11, 3, 0, tzinfo=UTC) + timedelta(hours=hours) for hours in (0, 1, 167)]
    assert {window_end(look) for look in looks} == {datetime(2025, 11, 3, tzinfo=UTC)}
