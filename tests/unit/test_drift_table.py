"""What `touchline drift` shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from touchline.cli.drift import drift_table
from touchline.settings import Settings

AS_OF = datetime(2025, 11, 5, 6, tzinfo=UTC)


def row(metric: str, subject: str, value: float, *, is_drift: bool = False, **detail: Any) -> dict[str, Any]:
    return {
        "metric": metric, "subject": subject, "value": value, "threshold": 3.0, "n_matches": 1234,
        "is_drift": is_drift, "as_of": AS_OF, "detail": detail,
    }  # fmt: skip


def shown(latest: list[dict[str, Any]], new: set[tuple[str, str]]) -> list[str]:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(drift_table(Settings(), latest, new))
    return capture.get().splitlines()


def test_the_table_tells_an_alarm_from_drift_that_was_told_before():
    latest = [
        row("calibration", "model", 3.5, is_drift=True, slope=0.8123456, since="2025-08-01"),
        row("confident_picks", "floor", 3.4, is_drift=True),
        row("confident_picks", "promised", -0.2),
    ]
    lines = "\n".join(shown(latest, {("calibration", "model")}))
    assert "slope 0.8123, since 2025-08-01" in lines
    assert lines.count("│ DRIFT") == 1
    assert lines.count("drift, told before") == lines.count("no drift") == 1
    assert "1,234" in lines


def test_of_many_features_those_that_drift_and_five_more_are_shown():
    latest = [row("feature_drift", f"feature_{number:02d}", 0.5 - number / 100) for number in range(40)]
    latest[30]["is_drift"] = True
    features = [line for line in shown(latest, set()) if "feature_drift" in line]
    assert [line.split("│")[2].strip() for line in features] == [
        *(f"feature_{number:02d}" for number in range(5)), "feature_30",
    ]  # fmt: skip
