"""An alarm stands until a training, and its evidence until the champion that the training made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from touchline.monitoring.alarms import Alarm, Alarms, Champion
from touchline.monitoring.finding import Finding


def at(day: int) -> datetime:
    return datetime(2025, 11, 1, tzinfo=UTC) + timedelta(days=day)


def finding(metric: str, subject: str = "model") -> Finding:
    return Finding(metric, subject, 4.0, 3.0, 500, is_drift=True)


def test_an_alarm_is_raised_again_until_a_training_has_followed():
    raised = (Alarm("calibration", "model", at(5)), Alarm("calibration", "model", at(6)))
    for trained_at, is_told in ((), False), ((at(4),), False), ((at(5),), True), ((at(4), at(7)), True):
        alarms = Alarms(raised, (), trained_at)
        assert alarms.mark(finding("calibration")).is_told == is_told
        assert not alarms.mark(finding("log_loss_against_market")).is_told
        assert not alarms.mark(finding("calibration", "another")).is_told


def test_new_evidence_is_a_new_alarm():
    raised = (Alarm("calibration", "model", at(5)),)
    answered = (Champion(trained_at=at(5), spoke_at=at(5)),)
    assert not Alarms(raised, answered, (at(5),)).mark(finding("calibration")).is_told
    again = (*raised, Alarm("calibration", "model", at(30)))
    assert not Alarms(again, answered, (at(5),)).mark(finding("calibration")).is_told
    assert Alarms(again, answered, (at(5), at(31))).mark(finding("calibration")).is_told


def test_evidence_begins_with_the_first_answer_to_the_last_alarm():
    raised = tuple(Alarm("calibration", "model", at(day)) for day in (5, 6, 20))
    champions = tuple(Champion(at(day), at(day + 1)) for day in (1, 8, 9, 30, 31))
    assert Alarms(champions=champions).evidence_since("calibration") is None
    assert Alarms(raised[:2], champions).evidence_since("calibration") == at(9)
    assert Alarms(raised, champions).evidence_since("calibration") == at(31)
    assert Alarms(raised, champions).evidence_since("feature_drift") is None


def test_an_alarm_without_an_answer_leaves_the_evidence_as_it_was():
    raised = tuple(Alarm("calibration", "model", at(day)) for day in (5, 20))
    answered = (Champion(at(8), at(9)),)
    assert Alarms(raised, answered).evidence_since("calibration") == at(9)
