"""Drift of the champion's settled predictions: recorded once, told until a training, over with its champion."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from benchmarks.simulated_forecasts import KNOWING, Champion, simulated_year

from predictions import insert_settled, unchecked
from touchline.clock import RunClock, virtual_clock
from touchline.database.engine import connect, rows
from touchline.monitoring.confident_picks import FLOOR, PROMISED
from touchline.monitoring.drift import METRICS, judge_drift
from touchline.registry.models import TrainedVersion
from touchline.settings import Settings

pytestmark = pytest.mark.slow

GONE_WRONG = Champion(noise=0.8)
# From the first of August to the twelfth of October, 400 matches.
N_DAYS, MATCHES_A_DAY = 40, 10
AFTER = datetime(2025, 10, 14, 6, tzinfo=UTC)
MARKET = "log_loss_against_market"


def at(days: float) -> RunClock:
    return virtual_clock(AFTER + timedelta(days=days))


def settle(
    settings: Settings, champion: Champion, version: str = "1", n_days: int = N_DAYS, days_later: int = 0
) -> None:
    settled, _ = simulated_year(champion, 1, n_days, MATCHES_A_DAY)
    moved = replace(settled, kickoff_on=settled.kickoff_on + days_later)
    with unchecked(settings) as connection:
        insert_settled(connection, moved, settings.model_name, version, first_number=1000 * int(version))


def recorded(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "model") as connection:
        return rows(connection, "select * from ops.drift_metric order by drift_metric_id")


def test_a_champion_that_knows_what_there_is_to_know_does_not_drift(settings: Settings):
    settle(settings, KNOWING)
    report = judge_drift(settings, at(0), "drift", [])
    assert {each.metric for each in report.findings} == {"calibration", MARKET}
    assert not any(each.is_drift for each in report.findings)
    assert (report.alarms, report.not_judged) == ((), ("feature_drift", "confident_picks"))
    assert "0 drift, 0 new" in report.summary


def test_what_was_found_is_recorded_once_with_what_it_rests_on(settings: Settings):
    settle(settings, GONE_WRONG)
    report = judge_drift(settings, at(0), "drift", [])
    assert judge_drift(settings, at(0), "again", []) == report
    found = recorded(settings)
    assert [(row["metric"], row["subject"]) for row in found] == [
        ("calibration", settings.model_name), (MARKET, settings.model_name),
        ("confident_picks", PROMISED), ("confident_picks", FLOOR),
    ]  # fmt: skip
    for row, finding in zip(found, report.findings, strict=True):
        assert (row["run_id"], row["value"], row["is_drift"]) == ("drift", finding.value, finding.is_drift)
        assert (row["n_matches"], row["detail"]) == (finding.n_matches, finding.detail)
    market = found[1]["detail"]
    assert (market["tolerated_gap"], market["since"]) == (settings.drift.market_gap, "2025-08-01")
    assert market["gap"] > 0.1


def test_a_second_look_as_of_the_same_instant_finds_what_the_first_has_recorded(settings: Settings):
    settle(settings, KNOWING)
    first = judge_drift(settings, at(0), "drift", [])
    settle(settings, GONE_WRONG, "2", n_days=80, days_later=-45)
    again = judge_drift(settings, at(0), "again", [])
    assert again.findings[: len(first.findings)] == first.findings
    assert {(row["metric"], row["subject"], row["value"], row["is_drift"]) for row in recorded(settings)} == {
        (each.metric, each.subject, each.value, each.is_drift) for each in again.findings
    }
    later = judge_drift(settings, at(0.1), "later", [])
    assert later.alarms, "what was settled since counts from the next instant on"


def test_an_alarm_is_raised_until_a_training_has_followed(settings: Settings):
    settle(settings, GONE_WRONG)
    alarms = judge_drift(settings, at(0), "drift", []).alarms
    assert {"calibration", MARKET} <= {each.metric for each in alarms}
    assert judge_drift(settings, at(0.5), "drift", []).alarms == alarms
    trained = [TrainedVersion("2", at(0).as_of, at(-1).as_of)]
    later = judge_drift(settings, at(1), "drift", trained)
    assert later.alarms == ()
    assert {each.metric for each in later.findings if each.is_drift} == {each.metric for each in alarms}


def test_a_training_that_finds_nothing_new_to_learn_has_followed_and_begins_no_new_evidence(
    settings: Settings,
):
    settle(settings, GONE_WRONG)
    alarms = judge_drift(settings, at(0), "drift", []).alarms
    taken_again = [TrainedVersion("1", at(-100).as_of, at(-101).as_of, confirmed_as_of=at(0.5).as_of)]
    assert judge_drift(settings, at(0.2), "drift", taken_again).alarms == alarms, "it is not known yet"
    later = judge_drift(settings, at(1), "drift", taken_again)
    assert later.alarms == ()
    assert {(each.metric, each.n_matches) for each in later.findings if each.is_drift} == {
        (each.metric, each.n_matches) for each in alarms
    }


def test_only_what_champions_trained_after_the_alarm_have_said_counts_from_then_on(settings: Settings):
    settle(settings, GONE_WRONG)
    assert judge_drift(settings, at(0), "drift", []).alarms
    trained = [
        TrainedVersion("1", at(-100).as_of, at(-101).as_of),
        TrainedVersion("2", at(1).as_of, at(0).as_of),
        TrainedVersion("3", at(40).as_of, at(39).as_of),
    ]
    # Trained, but not heard yet: the old evidence stands, and has been told.
    waiting = judge_drift(settings, at(2), "drift", trained)
    assert (any(each.is_drift for each in waiting.findings), waiting.alarms) == (True, ())
    settle(settings, GONE_WRONG, "2", n_days=20, days_later=80)
    assert judge_drift(settings, at(12), "drift", trained).findings == ()
    # A champion that follows without an alarm does not begin anew.
    settle(settings, GONE_WRONG, "3", n_days=20, days_later=120)
    again = judge_drift(settings, at(85), "drift", trained)
    calibration = next(each for each in again.alarms if each.metric == "calibration")
    assert (calibration.n_matches, calibration.detail["since"]) == (400, "2025-10-20")


def test_nothing_is_judged_on_few_matches_nor_on_results_that_are_not_known_yet(settings: Settings):
    settle(settings, GONE_WRONG)
    report = judge_drift(settings, virtual_clock(datetime(2025, 8, 8, tzinfo=UTC)), "drift", [])
    assert (report.findings, report.not_judged, recorded(settings)) == ((), METRICS, [])
    assert "Too few matches to judge: feature_drift" in report.summary
