"""One training as one MLflow run and one registered version."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from touchline.features.catalogue import FEATURES
from touchline.forecasting.fingerprints import dataset_digest
from touchline.forecasting.forecaster import Forecaster
from touchline.forecasting.specs import ForecasterParameters, primary_candidates
from touchline.openlineage import model_events
from touchline.registry.fingerprints import code_version
from touchline.registry.leakage import Leak
from touchline.registry.models import load_version
from touchline.registry.parameters import flat
from touchline.registry.plots import reliability_diagram, skill_by_season
from touchline.registry.promotion import PREDICTIONS, walk_forward_of
from touchline.registry.tracking import Registry, stored_file
from touchline.settings import Settings

# What unpickling and forecasting import, besides touchline itself.
REQUIREMENTS = ("mlflow", "lightgbm", "numpy", "pandas", "scipy")
N_EXAMPLES = 3
EXPERIMENT_SIMULATED = " (simulated)"
EVALUATION, LEAKAGE, RECIPE = "evaluation.json", "leakage.json", "recipe"
SCORES = ("rps", "log_loss", "brier", "accuracy")
LOG_LOSS = ".log_loss"


@dataclass(frozen=True)
class Lesson:
    """The data to learn from, and how: `key` identifies data, parameters and code, `recipe` only the latter two
    (registry.fingerprints)."""

    matches: pd.DataFrame
    parameters: ForecasterParameters
    key: str
    recipe: str
    as_of: datetime
    run_id: str


@dataclass(frozen=True)
class Training(Lesson):
    """A finished lesson with everything that a run logs. `predictions` is a frame of walk_forward, `evaluation` its
    result from evaluate, and `leaks` are features that know the outcome."""

    forecaster: Forecaster
    predictions: pd.DataFrame
    evaluation: dict[str, Any]
    leaks: tuple[Leak, ...]


def log_training(registry: Registry, training: Training) -> str:
    """Log the run, register the model and tag the version. Returns the version; the aliases do not change."""
    import mlflow

    from touchline.registry.pyfunc_model import ForecastModel

    mlflow.set_experiment(registry.model_name + (EXPERIMENT_SIMULATED if registry.is_simulated else ""))
    tags = _tags(registry, training)
    with mlflow.start_run(run_name=training.run_id, tags=tags) as run:
        mlflow.log_params(flat(training.parameters))
        mlflow.log_dict(training.evaluation, EVALUATION)
        mlflow.log_dict({"leaks": [asdict(leak) for leak in training.leaks]}, LEAKAGE)
        mlflow.log_dict({"features": list(FEATURES)}, "features.json")
        world = "simulated football" if registry.is_simulated else "real football"
        known = [name for name in primary_candidates() if name in training.evaluation["forecasts"]]
        mlflow.log_figure(
            reliability_diagram(training.predictions, known, f"Reliability on held-out seasons, {world}"),
            "plots/reliability.png",
        )
        mlflow.log_figure(
            skill_by_season(training.evaluation, f"Skill by season, {world}"), "plots/skill_by_season.png"
        )
        _log_predictions(training.predictions)
        example = training.matches[list(FEATURES)].tail(N_EXAMPLES).reset_index(drop=True)
        model = ForecastModel(training.forecaster)
        logged = mlflow.pyfunc.log_model(
            name="forecaster",
            python_model=model,
            pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            signature=mlflow.models.infer_signature(example, model.predict(None, example)),
            input_example=example,
        )
        # After the model: of metrics that are there before it, log_model fetches the history one by one.
        mlflow.log_metrics(_metrics(training.evaluation), model_id=logged.model_id)
    require_registered_model(registry)
    created = registry.client.create_model_version(
        registry.model_name, logged.model_uri, run.info.run_id, tags={**tags, "logged_model": logged.model_id},
        model_id=logged.model_id,
    )  # fmt: skip
    return str(created.version)


def stored_training(registry: Registry, version: str, lesson: Lesson) -> Training:
    """Read back what was logged with a registered version of these matches and parameters."""
    run = registry.client.get_run(registry.client.get_model_version(registry.model_name, version).run_id)
    with tempfile.TemporaryDirectory() as folder:
        predictions = walk_forward_of(run, Path(folder))
        evaluation, leakage = (
            json.loads(stored_file(run, name, Path(folder)).read_text()) for name in (EVALUATION, LEAKAGE)
        )
    return Training(
        **vars(lesson), forecaster=load_version(registry, version).forecaster, predictions=predictions,
        evaluation=evaluation, leaks=tuple(Leak(**each) for each in leakage["leaks"]),
    )  # fmt: skip


def registered_version(registry: Registry, key: str) -> str | None:
    """The version registered with a training key, None when there is none."""
    found = registry.client.search_model_versions(
        f"name = '{registry.model_name}' and tags.training_key = '{key}'"
    )
    return max((str(each.version) for each in found), key=int, default=None)


def tell_lineage(registry: Registry, settings: Settings, version: str, run_id: str) -> None:
    """Record what a registered version was made from; a second call changes nothing."""
    found = registry.client.get_model_version(registry.model_name, version)
    run = registry.client.get_run(found.run_id)
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    finished = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
    metrics = run.data.metrics
    scored = {name.removesuffix(LOG_LOSS) for name in metrics if name.endswith(LOG_LOSS)}
    fit = model_events.Fit(
        registry.model_name, version, found.run_id, dict(found.tags), started, finished, dict(run.data.params),
        int(metrics["held_out_matches"]),
        {name: {score: metrics[f"{name}.{score}"] for score in SCORES} for name in sorted(scored)},
    )  # fmt: skip
    model_events.emit(settings, fit, run_id)


def _tags(registry: Registry, training: Training) -> dict[str, str]:
    matches = training.matches
    return {
        "training_key": training.key,
        RECIPE: training.recipe,
        "dataset_digest": dataset_digest(matches),
        "code_version": code_version(),
        "is_simulated": str(registry.is_simulated).lower(),
        "primary": training.forecaster.primary,
        "forecasts": ",".join(training.forecaster.names),
        "as_of": training.as_of.isoformat(),
        "pipeline_run_id": training.run_id,
        "n_matches": str(len(matches)),
        "n_features": str(len(FEATURES)),
        "trained_from": matches["kickoff_at"].min().isoformat(),
        "trained_until": matches["kickoff_at"].max().isoformat(),
        "competitions": ",".join(sorted(matches["competition"].unique())),
        "held_out_seasons": ",".join(sorted(training.predictions["season"].unique())),
        **{
            f"calibrator.{name}": type(each).__name__.lower()
            for name, each in training.forecaster.calibrators.items()
        },
    }


def _metrics(evaluation: Mapping[str, Any]) -> dict[str, float]:
    metrics = {"held_out_matches": float(evaluation["matches"])}
    for name, scores in evaluation["forecasts"].items():
        metrics |= {f"{name}.{score}": float(value) for score, value in scores.items() if value is not None}
    for pair, difference in evaluation["paired"].items():
        first, _, second = pair.partition(" - ")
        metrics[f"{first} minus {second}.n"] = float(difference["n"])
        for score in ("rps", "log_loss"):
            for part, value in difference[score].items():
                metrics[f"{first} minus {second}.{score}.{part}"] = float(value)
    if evaluation["gap_closed"] is not None:
        metrics["gap_closed"] = float(evaluation["gap_closed"])
    return metrics


def _log_predictions(predictions: pd.DataFrame) -> None:
    import mlflow

    place = Path(PREDICTIONS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, place.name)
        predictions.to_parquet(path, index=False)
        mlflow.log_artifact(str(path), str(place.parent))


def require_registered_model(registry: Registry) -> None:
    """Create the registered model that versions and tags belong to, unless it exists."""
    from mlflow.exceptions import MlflowException

    try:
        registry.client.create_registered_model(
            registry.model_name, tags={"is_simulated": json.dumps(registry.is_simulated)}
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
