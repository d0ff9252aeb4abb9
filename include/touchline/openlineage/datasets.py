"""Names of datasets as OpenLineage has them for PostgreSQL, and what each step of the pipeline reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from touchline.settings import Settings

# Jobs and everything that is no table of a database.
NAMESPACE: Final = "touchline"


@dataclass(frozen=True)
class Touched:
    """Tables (`schema.table`) that a step reads and writes. Steps that run dbt leave it to their dbt events."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


_OBSERVED: Final = (
    "landing.payload", "landing.payload_parsed", "landing.fixture_observation", "landing.score_observation",
    "landing.odds_observation", "landing.rejected_row",
)  # fmt: skip
# Every quality gate writes what it found, and which competitions it holds from now on or no longer.
_GATE: Final = ("ops.quality_result", "ops.competition_hold", "ops.competition_release")
_BUILT_BY_DBT: Final = Touched()
_CHECKED: Final = ("core.match", "core.match_result", "core.match_odds", "features.match_features")

# What says whether something that should be there is missing.
_JUDGED: Final = Touched(
    (
        "analytics.unpredicted",
        "core.match",
        "ledger.prediction",
        "ops.competition_hold",
        "ops.competition_release",
    )
)

# By the name of the step in touchline.operations.steps; `collect` and `announce` are steps for each kind of facts.
STEPS: Final = {
    "collect": Touched(writes=_OBSERVED),
    "announce": Touched(reads=("landing.payload", "landing.rejected_row"), writes=_OBSERVED),
    "check_landing": Touched(
        (*_OBSERVED, "landing.payload_replayed"),
        ("landing.quarantined_fact", "landing.set_aside", "ops.rule_result", "ops.seen_input", *_GATE),
    ),
    "build_core": _BUILT_BY_DBT,
    "update_ratings": Touched(("core.result_version", "core.result_price"), ("features.team_rating",)),
    "build_features": _BUILT_BY_DBT,
    "check_core": Touched(("core.match", "core.match_result", "core.match_odds"), (*_GATE, "ops.seen_input")),
    "check_features": Touched(_CHECKED, (*_GATE, "ops.seen_input")),
    "detect_anomalies": Touched(_CHECKED, ("ops.anomaly", "ops.anomaly_search")),
    "build_analytics": _BUILT_BY_DBT,
    "refresh_analytics": _BUILT_BY_DBT,
    "publish_features": Touched(reads=("features.match_features",)),
    "tune": Touched(_CHECKED, _GATE),
    "train": Touched(_CHECKED, _GATE),
    "predict": Touched(("features.match_features", "core.match"), ("ledger.prediction", *_GATE)),
    "forecast_season": Touched(
        (
            "core.match", "core.match_version", "core.point_deduction", "core.season_format", "core.season_place",
            "features.team_rating", "features.team_form", "features.competition_form", "ledger.prediction",
        ),
        ("ledger.season_forecast", "ledger.season_outcome"),
    ),
    "settle": Touched(
        ("ledger.prediction", "core.match_result", "core.match_odds"),
        ("ledger.prediction_outcome",),
    ),
    "measure_drift": Touched(
        ("ledger.prediction", "ledger.prediction_outcome", "features.match_features"), ("ops.drift_metric",)
    ),
    "report_models": Touched(
        ("analytics.settled_predictions", "ledger.prediction", "ops.drift_metric", "ops.pipeline_run")
    ),
    "all_collected": _JUDGED,
    "all_predicted": _JUDGED,
    "predicted_in_time": _JUDGED,
    "promote": Touched(),
    "forget_logs": Touched(),
    "forget_runs": Touched(),
    "back_up": Touched(),
    "check_backup": Touched(),
    "forget_uses": Touched(writes=("ops.api_key_use",)),
}  # fmt: skip


def touched_by(step: str) -> Touched:
    """What a step reads and writes, by its name, which may say of what after a slash."""
    name = step.partition("/")[0]
    of_a_kind = name.partition("_")[0]
    return STEPS.get(of_a_kind if of_a_kind in ("collect", "announce") else name, Touched())


def server_namespace(settings: Settings) -> str:
    """The OpenLineage namespace of the warehouse's server: `postgres://host:port`."""
    parts = urlsplit(settings.server_url)
    return f"postgres://{parts.hostname}:{parts.port or 5432}"


def dataset_name(settings: Settings, table: str) -> str:
    """The OpenLineage name of a table given as `schema.table`: `database.schema.table`."""
    return f"{settings.warehouse_database}.{table}"


def dataset_uri(settings: Settings, table: str) -> str:
    """The same dataset as an Airflow asset names it: `postgres://host:port/database/schema/table`."""
    return f"{server_namespace(settings)}/{dataset_name(settings, table).replace('.', '/')}"
