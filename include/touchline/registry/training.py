"""Train: evaluate by walking forward, fit on everything, log, register, and ask the gate about the champion.

A kill at any point does no harm: a run without a registered version is ignored and repeated, and a version without
a recorded verdict is judged by the next run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from touchline.forecasting.evaluation import evaluate
from touchline.forecasting.forecaster import fit_forecaster
from touchline.forecasting.kept_fits import KeptFits
from touchline.forecasting.specs import MARKET_PREMATCH, ForecasterParameters, evaluated
from touchline.forecasting.walk_forward import walk_forward
from touchline.registry import gate, models
from touchline.registry.fallback import BASELINE
from touchline.registry.fingerprints import recipe, training_key
from touchline.registry.leakage import leaking_features
from touchline.registry.logged_run import (
    RECIPE,
    Lesson,
    Training,
    log_training,
    registered_version,
    stored_training,
    tell_lineage,
)
from touchline.registry.parameters import with_values
from touchline.registry.tracking import Registry, open_registry
from touchline.registry.training_set import evaluated_seasons, learnable_matches
from touchline.registry.tuning import tuned_parameters
from touchline.settings import Settings


@dataclass(frozen=True)
class TrainReport:
    """What training did. Scores are those of the primary forecast on the held-out seasons, None when a reused version
    has none. `alias` is champion, candidate, challenger, or empty; `state` is the gate's decision (registry.gate).
    `challenger` is the second training of a night in which tuned parameters, or new defaults, differ from the
    champion's."""

    as_of: str
    model_name: str
    version: str
    alias: str
    state: str
    primary: str
    is_reused: bool
    n_matches: int
    reason: str
    n_held_out: int | None
    log_loss: float | None
    rps: float | None
    market_log_loss: float | None
    mlflow_run_id: str
    challenger: TrainReport | None = None

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        made = "data, code and parameters are those of" if self.is_reused else "registered"
        scored = (
            "" if self.log_loss is None else f", log loss {self.log_loss:.5f} on {self.n_held_out:,} matches"
        )
        market = "" if self.market_log_loss is None else f" (market {self.market_log_loss:.5f})"
        told = (
            f"{self.model_name}: {made} version {self.version}, {self.primary} from {self.n_matches:,} matches"
            f"{scored}{market}; {self.state}: {self.reason}."
        )
        return told if self.challenger is None else f"{told}\n{self.challenger.summary}"


def train(settings: Settings, as_of: datetime, run_id: str) -> TrainReport:
    """Train on every match known at `as_of` and register the forecaster under `registry.model_name`.

    Models are trained with the champion's parameters on everything known now. If the wanted parameters (those of the
    last tuning, else the defaults) differ, a second training with these challenges the champion. See `train_on` and
    `training_set.learnable_matches`. Raises QualityGateFailed.
    """
    registry = open_registry(settings)
    matches = learnable_matches(settings, as_of, run_id)
    wanted = tuned_parameters(registry, settings.random_seed)
    kept = _champion_parameters(registry, settings.random_seed) or wanted
    report = train_on(settings, matches, kept, as_of, run_id)
    if wanted == kept:
        return report
    challenger = train_on(settings, matches, wanted, as_of, run_id)
    # The second verdict may have moved the alias away from the first version.
    first = _report(registry, as_of, report.version, is_reused=report.is_reused)
    return replace(first, challenger=challenger)


def train_on(
    settings: Settings, matches: pd.DataFrame, parameters: ForecasterParameters, as_of: datetime, run_id: str
) -> TrainReport:
    """Evaluate, fit, log, register and judge a forecaster of `matches` (a training frame).

    `promotion.judge` judges the version, and `gate.settle_version` carries out the decision. A registered version
    with the same data, parameters and code is reused. Raises ModelUnavailable when there are too few matches,
    ServiceFailed when MLflow does not answer.
    """
    registry = open_registry(settings)
    seasons = evaluated_seasons(matches, settings.evaluation_seasons, as_of)
    key = training_key(matches, parameters, settings.evaluation_seasons)
    lesson = Lesson(matches, parameters, key, recipe(parameters), as_of, run_id)
    version = registered_version(registry, key)
    is_reused = version is not None
    training = None
    if version is None:
        training = _learn(lesson, seasons, KeptFits(settings.home / "fits"))
        version = log_training(registry, training)
    tell_lineage(registry, settings, version, run_id)
    if not gate.is_settled(registry, version):
        training = training or stored_training(registry, version, lesson)
        gate.settle_version(registry, settings, version, training)
    if is_reused:
        models.confirm(registry, version, as_of)
    return _report(registry, as_of, version, is_reused=is_reused)


def _learn(lesson: Lesson, seasons: list[str], kept: KeptFits) -> Training:
    matches, parameters = lesson.matches, lesson.parameters
    predictions = walk_forward(matches, seasons, parameters, names=evaluated(), kept=kept)
    return Training(
        **vars(lesson), forecaster=fit_forecaster(matches, parameters), predictions=predictions,
        evaluation=evaluate(predictions, parameters.seed), leaks=leaking_features(matches, parameters.seed),
    )  # fmt: skip


def _champion_parameters(registry: Registry, seed: int) -> ForecasterParameters | None:
    """The champion's parameters, as far as this code knows them; None without a champion, and for a baseline."""
    version = models.aliased_version(registry, models.CHAMPION)
    if version is None:
        return None
    found = registry.client.get_model_version(registry.model_name, version)
    if found.tags.get(RECIPE) == BASELINE:
        return None
    stored = registry.client.get_run(found.run_id).data.params
    return replace(
        with_values(
            ForecasterParameters(), {name: value for name, value in stored.items() if name != "seed"}
        ),
        seed=seed,
    )


def _report(registry: Registry, as_of: datetime, version: str, *, is_reused: bool) -> TrainReport:
    found = registry.client.get_model_version(registry.model_name, version)
    metrics = registry.client.get_run(found.run_id).data.metrics
    primary = found.tags["primary"]
    aliases = models.aliased_versions(registry)
    held = [
        alias
        for alias in (models.CHAMPION, models.CANDIDATE, models.CHALLENGER)
        if aliases.get(alias) == version
    ]
    n_held_out = metrics.get("held_out_matches")
    return TrainReport(
        as_of=as_of.isoformat(),
        model_name=registry.model_name,
        version=version,
        alias=held[0] if held else "",
        state=found.tags[models.STATE],
        primary=primary,
        is_reused=is_reused,
        n_matches=int(found.tags["n_matches"]),
        reason=found.tags[gate.VERDICT],
        n_held_out=None if n_held_out is None else int(n_held_out),
        log_loss=metrics.get(f"{primary}.log_loss"),
        rps=metrics.get(f"{primary}.rps"),
        market_log_loss=metrics.get(f"{MARKET_PREMATCH}.log_loss"),
        mlflow_run_id=found.run_id,
    )
