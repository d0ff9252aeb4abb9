"""The graph of DAGs without Airflow: which steps each runs, what each step waits for, which new assets start it.

The DAG files tell Airflow the same; tests/dags/test_flow.py holds the two together. Collections are not in it: they are
started by timetables, and one has a task for every source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from touchline.operations import names


@dataclass(frozen=True)
class Flow:
    """One DAG. `steps` are in an order in which they can run, each with the steps that must have succeeded before.

    A new asset of `started_by` starts it; some are also started by their timetable.
    """

    dag_id: str
    steps: Mapping[str, tuple[str, ...]]
    started_by: frozenset[str]


def _chain(*steps: str) -> dict[str, tuple[str, ...]]:
    """Each step waits for the one before."""
    return {step: steps[max(place - 1, 0) : place] for place, step in enumerate(steps)}


_BUILD = ("check_landing", "build_core", "update_ratings", "build_features", "check_features")
_FLOWS = (
    Flow(
        names.BUILD_WAREHOUSE,
        {
            **_chain(*_BUILD, "build_analytics", names.BUILT),
            "detect_anomalies": ("check_features",),
        },
        frozenset(names.LANDING.values()),
    ),
    Flow(
        names.PREDICT_MATCHES,
        {**_chain("predict", "refresh_analytics", names.ALL_PREDICTED), "forecast_season": ("predict",)},
        frozenset({names.FEATURES, names.CHAMPION}),
    ),
    Flow(
        names.SETTLE_PREDICTIONS,
        {"settle": (), "measure_drift": ("settle",), "refresh_analytics": ("settle",)},
        frozenset({names.RESULTS}),
    ),
    Flow(names.TRAIN_MODELS, _chain("train"), frozenset({names.DRIFT, names.TUNED})),
    Flow(names.TUNE_MODELS, _chain("tune"), frozenset()),
)
FLOWS: Mapping[str, Flow] = {flow.dag_id: flow for flow in _FLOWS}


def started_by(asset: str) -> tuple[str, ...]:
    """Ids of the DAGs that a new asset starts."""
    return tuple(flow.dag_id for flow in _FLOWS if asset in flow.started_by)
