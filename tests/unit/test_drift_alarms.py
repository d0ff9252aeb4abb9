"""An alarm is raised once, and answered by a champion trained after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from touchline.monitoring.alarms import Alarm, Alarms, Champion
from touchline.monitoring.finding import Finding


def at(day: int) -> datetime:
    return datetime(2025, 11, 1, tzinfo=UTC) + timedelta(days=day)


def finding(metric: str, subject: str = "model") -> Finding:
    return Finding(metric, subject, 4.0, 3.0, 500, is_drift=True)


def test_an_alarm_is_told_until_a_champion_trained_after_it_has_spoken():
    raised = (Alarm("calibration", "model", at(5)),)
    mark = partial(Alarms.mark, finding=finding("calibration"))
    before = Champion(trained_at=at(4), spoke_at=at(6))
    assert mark(Alarms(raised, (before,))).is_told
    assert not mark(Alarms(raised, (before, Champion(trained_at=at(6), spoke_at=at(7))))).is_told
    assert not Alarms(raised, ()).mark(finding("log_loss_against_market")).is_told
    assert not Alarms(raised, ()).mark(finding("calibration", "another")).is_told


def test_evidence_begins_with_the_first_answer_to_the_last_alarm():
    raised = tuple(Alarm("calibration", "model", at(day)) for day in (5, 6, 20))
    champions = tuple(Champion(at(day), at(day + 1)) for day in (1, 8, 9, 30, 31))
    assert Alarms((), champions).evidence_since("calibration") is None
    assert Alarms(raised[:2], champions).evidence_since("calibration") == at(9)
    assert Alarms(raised, champions).evidence_since("calibration") == at(31)
    assert Alarms(raised, champions).evidence_since("feature_drift") is None


def test_an_alarm_without_an_answer_leaves_the_evidence_as_it_was():
    raised = tuple(Alarm("calibration", "model", at(day)) for day in (5, 20))
    answered = (Champion(at(8), at(9)),)
    assert Alarms(raised, answered).evidence_since("calibration") == at(9)
