"""Drift detectors on simulated years: seldom wrong however often one looks, and awake when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pytest
from benchmarks.drift import LOOKS, as_set, at_the_limit, looks_at
from benchmarks.simulated_forecasts import (
    HOME_BIASED,
    KNOWING,
    NO_ODDS,
    OVERCONFIDENT,
    WITH_ODDS,
    WORSE_NO_ODDS,
    WORSE_WITH_ODDS,
    Champion,
    simulated_year,
)  # fmt: skip

from touchline.forecasting.logistic import Floats
from touchline.forecasting.metrics import log_loss
from touchline.monitoring.confident_picks import shortfall_ratios
from touchline.monitoring.sequential import evidence_needed, likelihood_ratio, mean_above_zero, running_tests
from touchline.monitoring.settled import Days
from touchline.settings import Settings

AUTUMN = datetime(2025, 11, 5, tzinfo=UTC)
SHARE = Settings().drift.false_alarms / 4
N_YEARS = 30
FIRST = np.array([0])
ONE_SIDED_80 = 0.8416


def market_evidence(excess: Floats, days: Days, n: int) -> float:
    return mean_above_zero(excess[:n], days[:n], FIRST).value


def ratio_evidence(ratios: Floats, n: int) -> float:
    return likelihood_ratio(ratios[:n], FIRST).value


def looked_at_500_times(evidence: Callable[[int], float], n: int) -> bool:
    """True when any of 500 looks finds one-in-five evidence."""
    return any(evidence(seen) >= np.log10(5) for seen in np.unique(np.linspace(10, n, 500, dtype=np.int64)))


def test_500_looks_at_a_gap_that_is_just_tolerated_alarm_no_more_often_than_promised():
    n_alarms = n_naive = 0
    for seed in range(N_YEARS):
        year, settings = at_the_limit(NO_ODDS, seed)
        gap = log_loss(year.probabilities, year.outcomes) - log_loss(year.closing, year.outcomes)
        excess = gap - settings.drift.market_gap
        n_alarms += looked_at_500_times(partial(market_evidence, excess, year.kickoff_on), len(gap))
        means = np.cumsum(excess) / np.sqrt(np.arange(1, len(gap) + 1)) / excess.std()
        n_naive += bool((means[10:] > ONE_SIDED_80).any())
    assert n_alarms / N_YEARS <= 0.2
    # A test for one look, at the same level of one in five, would have cried wolf in most years.
    assert n_naive / N_YEARS > 0.5


def test_500_looks_at_picks_that_come_in_as_promised_alarm_no_more_often_than_promised():
    random = np.random.default_rng(1)
    n_alarms = 0
    for _ in range(N_YEARS):
        promised = random.uniform(0.6, 0.9, 800)
        ratios = shortfall_ratios(promised, (random.random(800) < promised).astype(float))
        n_alarms += looked_at_500_times(partial(ratio_evidence, ratios), len(ratios))
    assert n_alarms / N_YEARS <= 0.2


def test_a_likelihood_ratio_is_worth_one_on_average():
    """Over all that can happen with two picks, weighted by their probabilities."""
    due = np.array([0.7, 0.9])
    total = 0.0
    for came_in in ([0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]):
        hits = np.array(came_in)
        chance = np.where(hits == 1, due, 1 - due).prod()
        total += chance * 10 ** likelihood_ratio(shortfall_ratios(due, hits), np.array([0])).value
    assert total == pytest.approx(1)


def test_a_test_begins_with_each_month_and_ends_after_a_year():
    days = np.array(
        ["2024-11-30", "2024-12-01", "2024-12-02", "2025-03-09", "2025-11-01"], dtype="datetime64[D]"
    )
    assert list(running_tests(days, AUTUMN)) == [1, 3, 4]
    assert list(running_tests(days[:0], AUTUMN)) == []


def test_a_new_test_sees_what_an_old_one_takes_long_to_believe():
    hits = np.r_[np.ones(300), np.zeros(20)]
    ratios = shortfall_ratios(np.full(320, 0.7), hits)
    old, both = (likelihood_ratio(ratios, np.array(began)) for began in ([0], [0, 300]))
    assert old.value < 0
    assert both.value > 3
    assert both.began == 300


def test_twelve_tests_share_what_a_year_may_have():
    assert 12 * 10 ** -evidence_needed(0.05) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("detector", "champion", "n_matches"),
    [
        ("log loss against the market", WORSE_WITH_ODDS, 5600),
        ("log loss against the market", WORSE_NO_ODDS, 4200),
        ("calibration", OVERCONFIDENT, 3500),
        ("calibration", HOME_BIASED, 5600),
        ("confident picks, promised", OVERCONFIDENT, 4200),
        ("confident picks, floor", Champion(slope=1.5), 4200),
    ],
)
def test_what_is_wrong_is_seen_within(detector: str, champion: Champion, n_matches: int):
    looks = looks_at(LOOKS[detector], as_set(champion, seed=2), SHARE, n_looks=10)
    assert any(finding.is_drift for n, finding in looks if n <= n_matches)


@pytest.mark.parametrize("detector", LOOKS)
@pytest.mark.parametrize("champion", [KNOWING, WITH_ODDS])
def test_a_good_champion_is_left_alone_all_year(detector: str, champion: Champion):
    findings = [finding for _, finding in looks_at(LOOKS[detector], as_set(champion, 3), SHARE, n_looks=10)]
    assert findings
    assert not any(finding.is_drift for finding in findings)


def test_a_finding_says_in_plain_units_what_it_rests_on():
    settled, _ = simulated_year(OVERCONFIDENT, 1)
    settings, end = Settings(), datetime(2026, 8, 1, tzinfo=UTC)
    found = {name: look(settled, settings, end, SHARE) for name, look in LOOKS.items()}
    calibration, picks = found["calibration"], found["confident picks, promised"]
    assert calibration is not None
    assert calibration.detail["slope"] == pytest.approx(0.8, abs=0.1)
    assert sum(calibration.detail["observed_minus_promised"]) == pytest.approx(0, abs=1e-5)
    assert picks is not None
    assert picks.detail["accuracy"] < picks.detail["due"]
    market = found["log loss against the market"]
    assert market is not None
    assert market.detail["gap"] == pytest.approx(0.0045, abs=0.01)


def test_with_too_few_matches_nothing_is_said():
    settled, _ = simulated_year(KNOWING, 1, n_days=5)
    for look in LOOKS.values():
        assert look(settled, Settings(), datetime(2025, 8, 12, tzinfo=UTC), SHARE) is None
