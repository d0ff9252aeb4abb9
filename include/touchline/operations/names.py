"""Names that DAGs, the command line and operators share; the package itself knows nothing of Airflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

OWNER: Final = "touchline"
TAG: Final = "touchline"

COLLECT_FIXTURES: Final = "collect_fixtures"
COLLECT_ODDS: Final = "collect_odds"
COLLECT_SCORES: Final = "collect_scores"
BUILD_WAREHOUSE: Final = "build_warehouse"
TUNE_MODELS: Final = "tune_models"
TRAIN_MODELS: Final = "train_models"
PREDICT_MATCHES: Final = "predict_matches"
SETTLE_PREDICTIONS: Final = "settle_predictions"
APPROVE_PROMOTION: Final = "approve_promotion"
WATCH_KICKOFFS: Final = "watch_kickoffs"
KEEP_HOUSE: Final = "keep_house"
REPORT_MODELS: Final = "report_models"
BACK_UP: Final = "back_up"
CHECK_BACKUP: Final = "check_backup"
DAGS: Final = (
    COLLECT_FIXTURES,
    COLLECT_ODDS,
    COLLECT_SCORES,
    BUILD_WAREHOUSE,
    TUNE_MODELS,
    TRAIN_MODELS,
    PREDICT_MATCHES,
    SETTLE_PREDICTIONS,
    APPROVE_PROMOTION,
    WATCH_KICKOFFS,
    KEEP_HOUSE,
    REPORT_MODELS,
    BACK_UP,
    CHECK_BACKUP,
)

LANDING_FIXTURES: Final = "landing/fixtures"
LANDING_ODDS: Final = "landing/odds"
LANDING_SCORES: Final = "landing/scores"
FEATURES: Final = "warehouse/features"
RESULTS: Final = "warehouse/results"
TUNED: Final = "models/tuned"
CHAMPION: Final = "models/champion"
CANDIDATE: Final = "models/candidate"
DRIFT: Final = "models/drift"
PREDICTIONS: Final = "predictions/upcoming"
SETTLED: Final = "predictions/settled"
ASSETS: Final = (
    LANDING_FIXTURES,
    LANDING_ODDS,
    LANDING_SCORES,
    FEATURES,
    RESULTS,
    TUNED,
    CHAMPION,
    CANDIDATE,
    DRIFT,
    PREDICTIONS,
    SETTLED,
)

# How old each may be, by the run clock. Collections keep to their timetables, and a build follows six hours after the
# last one at the latest; what follows a build has an hour or two for it.
PROMISED: Final = {
    LANDING_FIXTURES: timedelta(hours=26),
    LANDING_ODDS: timedelta(hours=7),
    LANDING_SCORES: timedelta(hours=7),
    FEATURES: timedelta(hours=8),
    RESULTS: timedelta(hours=8),
    TUNED: timedelta(days=8),
    CHAMPION: timedelta(hours=26),
    CANDIDATE: timedelta(hours=26),
    DRIFT: timedelta(hours=9),
    PREDICTIONS: timedelta(hours=9),
    SETTLED: timedelta(hours=9),
}

# The tasks of a collection that ask a source are in this group, and are named as the source.
COLLECT_GROUP: Final = "collect"
LANDING: Final = {"fixtures": LANDING_FIXTURES, "odds": LANDING_ODDS, "scores": LANDING_SCORES}

# The steps of a build in their order. The search for anomalies is not among them: nothing waits for it, and when it
# fails the build is still complete.
BUILD_STEPS: Final = (
    "check_landing", "build_core", "update_ratings", "build_features", "check_features", "build_analytics",
    "publish_features",
)  # fmt: skip
BUILT: Final = BUILD_STEPS[-1]
BUILD: Final = (*BUILD_STEPS, "detect_anomalies")

# In the order in which data passes them: what a stage is called, and for each asset the DAG and the step that make it.
STAGES: Final = (
    ("Landing", {asset: (f"collect_{kind}", f"collect_{kind}") for kind, asset in LANDING.items()}),
    (
        "Warehouse",
        dict.fromkeys((FEATURES, RESULTS), (BUILD_WAREHOUSE, BUILT)),
    ),
    (
        "Models",
        {
            TUNED: (TUNE_MODELS, "tune"),
            CHAMPION: (TRAIN_MODELS, "train"),
            CANDIDATE: (TRAIN_MODELS, "train"),
            DRIFT: (SETTLE_PREDICTIONS, "measure_drift"),
        },
    ),
    (
        "Ledger",
        {
            PREDICTIONS: (PREDICT_MATCHES, "predict"),
            SETTLED: (SETTLE_PREDICTIONS, "settle"),
        },
    ),
)

# The steps that make models, or decide how they are made.
LEARNING: Final = ("train", "tune")

# The last task of a DAG, which fails when the pipeline is degraded; every other task has then done its work.
ALL_COLLECTED: Final = "all_collected"
ALL_PREDICTED: Final = "all_predicted"
PREDICTED_IN_TIME: Final = "predicted_in_time"
VERDICTS: Final = (ALL_COLLECTED, ALL_PREDICTED, PREDICTED_IN_TIME)

# Queues of a cluster: a worker takes from those it was started for (docs/operating-airflow.md, "Many machines"). On one
# machine they mean nothing.
COLLECT_QUEUE: Final = "collect"
BUILD_QUEUE: Final = "build"
TRAIN_QUEUE: Final = "train"
PREDICT_QUEUE: Final = "predict"
QUEUES: Final = (COLLECT_QUEUE, BUILD_QUEUE, TRAIN_QUEUE, PREDICT_QUEUE)
# Every other task builds.
QUEUE_OF: Final = {
    "sources": COLLECT_QUEUE,
    **{f"announce_{kind}": COLLECT_QUEUE for kind in LANDING},
    ALL_COLLECTED: COLLECT_QUEUE,
    "train": TRAIN_QUEUE,
    "tune": TRAIN_QUEUE,
    "predict": PREDICT_QUEUE,
    "forecast_season": PREDICT_QUEUE,
    "settle": PREDICT_QUEUE,
    "measure_drift": PREDICT_QUEUE,
    "report_models": PREDICT_QUEUE,
    "refresh_analytics": PREDICT_QUEUE,
    ALL_PREDICTED: PREDICT_QUEUE,
    PREDICTED_IN_TIME: PREDICT_QUEUE,
}

# Airflow's variable that holds the digest of the code which the installation was brought to last.
CODE_VARIABLE: Final = "touchline_code"

# Two tasks that work the database hard, one training. Each source has a pool of its own (operations/pools.py).
DATABASE_POOL: Final = "database"
TRAINING_POOL: Final = "training"
POOLS: Final = {
    DATABASE_POOL: (2, "tasks that keep PostgreSQL busy"),
    TRAINING_POOL: (1, "training takes every core there is"),
}
