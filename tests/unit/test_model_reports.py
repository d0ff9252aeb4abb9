"""What a quality report tells of drift: each alarm once, with the training and the champion that followed it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from touchline.forecasting.report.blocks import Paragraph, Table
from touchline.model_reports.evidence import Evidence
from touchline.model_reports.history_sections import champions, drift
from touchline.model_reports.skill_sections import in_short
from touchline.registry.models import TrainedVersion

NOW = datetime(2026, 3, 15, 6, tzinfo=UTC)


def at(days: float) -> datetime:
    return NOW + timedelta(days=days)


def measured(days: float, value: float, *, is_last: bool = False, subject: str = "model") -> dict[str, Any]:
    return {
        "metric": "calibration", "subject": subject, "value": value, "threshold": 3.0, "n_matches": 1200,
        "is_drift": value >= 3, "as_of": at(days), "is_last": is_last,
    }  # fmt: skip


def version(number: str, days: float, confirmed: float | None = None) -> TrainedVersion:
    return TrainedVersion(number, at(days), at(days - 1), None if confirmed is None else at(confirmed))


def reign(number: str, days: float, **changes: Any) -> dict[str, Any]:
    return {
        "model_version": number, "forecast": "with_odds", "first_predicted_at": at(days),
        "last_predicted_at": at(days + 1), "n_predictions": 7, "state": "promoted", "reason": "better", **changes,
    }  # fmt: skip


def evidence(*rows: dict[str, Any], trained: tuple[TrainedVersion, ...] = (), reigns: Any = ()) -> Evidence:
    return Evidence(NOW, 1, pd.DataFrame(), rows, reigns, trained)


def alarms(found: Evidence) -> tuple[tuple[Any, ...], ...]:
    (table,) = (each for each in drift(found) if isinstance(each, Table) and each.title.startswith("Alarms"))
    return table.rows


def test_an_alarm_that_was_repeated_until_a_training_is_told_once_with_what_followed():
    found = evidence(
        measured(-9, 4.0), measured(-8, 4.5), measured(-2, 3.5, is_last=True),
        trained=(version("6", -20), version("7", -7), version("8", -5)), reigns=[reign("8", -4), reign("7", -6)],
    )  # fmt: skip
    assert alarms(found) == (
        ("calibration", "model", "2026-03-06 06:00", "2026-03-07 06:00", "2",
         "version 7 trained as of 2026-03-08 06:00, champion from 2026-03-09 06:00"),
        ("calibration", "model", "2026-03-13 06:00", "2026-03-13 06:00", "1", "no training yet"),
    )  # fmt: skip
    assert "Drift: 1 measure in alarm." in list(in_short(found))


@pytest.mark.parametrize(
    ("trained", "followed"),
    [
        ((version("7", -7),), "version 7 trained as of 2026-03-08 06:00, not champion"),
        ((version("6", -20, confirmed=-8),), "training found nothing new beyond version 6, 2026-03-07 06:00"),
        ((version("6", -20, confirmed=-10),), "no training yet"),
    ],
)
def test_a_training_answers_whether_or_not_it_made_a_champion(
    trained: tuple[TrainedVersion, ...], followed: str
):
    assert alarms(evidence(measured(-9, 4.0, is_last=True), trained=trained))[0][-1] == followed


def test_what_comes_nearest_to_an_alarm_is_shown_first():
    rows = [measured(-1, number / 10, is_last=True, subject=str(number)) for number in range(30)]
    table, told = list(drift(evidence(*rows)))[2:]
    assert isinstance(table, Table)
    assert [row[1] for row in table.rows] == [str(29 - place) for place in range(12)]
    assert told == Paragraph("No alarm in the last 365 days.")


def test_why_a_version_is_champion_is_said_as_on_the_board():
    by_person = reign("8", -4, state="challenger", reason="not yet")
    (_, table) = champions(
        evidence(reigns=[by_person, reign("7", -9), reign("6", -20, state=None, reason=None)])
    )
    assert isinstance(table, Table)
    assert [(row[3], row[5]) for row in table.rows] == [
        ("now", "promoted by a person; training said challenger: not yet"),
        ("2026-03-07 06:00", "promoted: better"),
        ("2026-02-24 06:00", "not recorded; a baseline stands in where a model was refused"),
    ]
