"""How long each task may take, which goes first when several wait for a place, and the queue on a cluster."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from touchline.operations import names

# Minutes. A first build of thirty seasons takes a few; what takes ten times its usual time hangs.
MINUTES = {
    "sources": 2,
    "check_landing": 20, "build_core": 40, "update_ratings": 20, "build_features": 40, "check_features": 20,
    "build_analytics": 20, "publish_features": 15, "detect_anomalies": 30,
    "train": 120, "tune": 120, "forget_logs": 10, "forget_runs": 30, "forget_uses": 10, "promote": 10,
    "back_up": 170, "check_backup": 170,
    "predict": 15, "forecast_season": 20, "refresh_analytics": 15, "all_predicted": 5, "predicted_in_time": 5,
    "settle": 20, "measure_drift": 20, "report_models": 20,
    "announce_fixtures": 15, "announce_odds": 15, "announce_scores": 15, "all_collected": 5,
}  # fmt: skip
# A first collection of ten seasons at a provider's pace.
COLLECT_MINUTES = 30

# A place goes to the task with the greatest weight. What leads to predictions comes first, from its end: near kick-off
# a prediction waits for nothing but what it is made of. Looking back and learning can wait.
WEIGHTS = {
    "predict": 100, "predicted_in_time": 90, "refresh_analytics": 80, "all_predicted": 80,
    "check_landing": 60, "build_core": 60, "update_ratings": 60, "build_features": 60, "check_features": 60,
    "publish_features": 60, "build_analytics": 50,
    "announce_fixtures": 40, "announce_odds": 40, "announce_scores": 40, "sources": 40, "promote": 40,
}  # fmt: skip
COLLECT_WEIGHTS = {"odds": 35, "fixtures": 30, "scores": 25}
LOWEST_WEIGHT = 1


def limits_of(step: str) -> dict[str, Any]:
    """The options of the task of a step, whose name may say of what after a slash."""
    name = step.partition("/")[0]
    return {
        "queue": names.QUEUE_OF.get(name, names.BUILD_QUEUE),
        "execution_timeout": timedelta(minutes=MINUTES[name]),
        "priority_weight": WEIGHTS.get(name, LOWEST_WEIGHT),
    }


def limits_of_collecting(kind: str) -> dict[str, Any]:
    """The options of a task that asks a source."""
    return {
        "queue": names.COLLECT_QUEUE,
        "execution_timeout": timedelta(minutes=COLLECT_MINUTES),
        "priority_weight": COLLECT_WEIGHTS[kind],
    }
