"""Search for better parameters: Optuna on the seasons before those on which versions are compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from touchline.errors import SettingsInvalid
from touchline.forecasting.metrics import log_loss
from touchline.forecasting.specs import NO_ODDS, WITH_ODDS, ForecasterParameters, evaluated
from touchline.forecasting.walk_forward import probabilities_of, walk_forward
from touchline.registry.logged_run import require_registered_model
from touchline.registry.parameters import flat, with_values
from touchline.registry.search_space import searched_values, suggest
from touchline.registry.tracking import Registry, open_registry
from touchline.registry.training_set import evaluated_seasons, gate_seasons, learnable_matches
from touchline.settings import Settings

if TYPE_CHECKING:
    from optuna import Study, Trial

# Tag of the registered model with the values found last, as JSON.
TUNED = "tuned_parameters"
# Optuna's default: enough complete trials for a meaningful median.
TRIALS_BEFORE_PRUNING = 5


@dataclass(frozen=True)
class TuneReport:
    """What a search found. Log losses are means over `seasons`, of the forecasts with and without odds. `values` are
    the best parameters by dotted name; `is_changed` says whether they differ from those that training used before."""

    as_of: str
    model_name: str
    seasons: tuple[str, ...]
    n_trials: int
    n_pruned: int
    log_loss_before: float
    log_loss: float
    is_changed: bool
    values: dict[str, float]
    mlflow_run_id: str

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        found = f"log loss {self.log_loss:.5f}, before {self.log_loss_before:.5f}"
        kept = (
            "training takes these parameters from now on" if self.is_changed else "nothing better was found"
        )
        return (
            f"{self.model_name}: {self.n_trials} trials ({self.n_pruned} pruned) on {', '.join(self.seasons)}: "
            f"{found}; {kept}."
        )


def tune(
    settings: Settings, as_of: datetime, run_id: str, budget_seconds: float, n_trials: int | None = None
) -> TuneReport:
    """Search on every match known at `as_of` and store the result; see `tune_on`."""
    open_registry(settings)
    return tune_on(
        settings, learnable_matches(settings, as_of, run_id), as_of, run_id, budget_seconds, n_trials
    )


def tune_on(
    settings: Settings, matches: pd.DataFrame, as_of: datetime, run_id: str, budget_seconds: float,
    n_trials: int | None = None, base: ForecasterParameters | None = None,
) -> TuneReport:  # fmt: skip
    """Search around `base` (what training would use now), which is the first trial, and store the best parameters.

    No trial begins after `budget_seconds`; the one under way is finished. With `n_trials` and a sufficient budget, the
    same matches, code and seed give the same result. Matches of the seasons on which versions are compared, and later
    ones, are not used. Raises SettingsInvalid without a budget, ModelUnavailable when there are too few matches.
    """
    if budget_seconds <= 0:
        raise SettingsInvalid(
            "tuning needs a budget in seconds: --budget, or TOUCHLINE_TUNING_BUDGET_SECONDS"
        )
    registry = open_registry(settings)
    start = base or tuned_parameters(registry, settings.random_seed)
    held_out = matches[matches["season"].isin(gate_seasons(matches))]
    known = matches[matches["kickoff_at"] < held_out["kickoff_at"].min()]
    seasons = evaluated_seasons(known, settings.evaluation_seasons, as_of)
    study = search(known, seasons, start, budget_seconds, n_trials)
    return _store(registry, study, start, seasons, as_of, run_id)


def search(
    matches: pd.DataFrame, seasons: Sequence[str], base: ForecasterParameters, budget_seconds: float,
    n_trials: int | None,
) -> Study:  # fmt: skip
    """An Optuna study of the mean log loss over walk-forward `seasons`. A trial that is worse than the median of the
    others after a season is stopped."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=base.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING),
    )
    study.enqueue_trial(dict(searched_values(base)))
    study.optimize(
        lambda trial: _mean_log_loss(trial, matches, seasons, base), n_trials, timeout=budget_seconds
    )
    return study


def tuned_parameters(registry: Registry, seed: int) -> ForecasterParameters:
    """The defaults with the values of the last tuning, as far as this code knows them."""
    stored = _stored(registry)
    return with_values(ForecasterParameters(seed=seed), stored.get("values", {}))


def last_tuning(registry: Registry) -> str | None:
    """The MLflow run whose parameters training uses, None while it uses the defaults."""
    return _stored(registry).get("mlflow_run_id")


def _mean_log_loss(
    trial: Trial, matches: pd.DataFrame, seasons: Sequence[str], base: ForecasterParameters
) -> float:
    import optuna

    parameters = suggest(trial, base)
    total, n = 0.0, 0
    for step, season in enumerate(seasons):
        predictions = walk_forward(matches, [season], parameters, names=evaluated())
        outcomes = predictions["outcome"].to_numpy()
        # Each half of the parameters determines one of the two forecasts.
        losses = [
            log_loss(probabilities_of(predictions, name), outcomes).sum() for name in (WITH_ODDS, NO_ODDS)
        ]
        total, n = total + sum(losses) / len(losses), n + len(outcomes)
        trial.report(total / n, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return total / n


def _store(
    registry: Registry, study: Study, base: ForecasterParameters, seasons: Sequence[str],
    as_of: datetime, run_id: str,
) -> TuneReport:  # fmt: skip
    import mlflow
    from optuna.trial import TrialState

    best = with_values(base, study.best_params)
    values = searched_values(best)
    before = study.trials[0].value
    assert before is not None, "the first trial cannot be pruned"
    n_pruned = len(study.get_trials(states=(TrialState.PRUNED,)))
    mlflow.set_experiment(f"{registry.model_name} tuning")
    tags = {"as_of": as_of.isoformat(), "pipeline_run_id": run_id}
    with mlflow.start_run(run_name=run_id, tags=tags) as run:
        mlflow.log_params(flat(best))
        mlflow.log_metrics(
            {"log_loss": study.best_value, "log_loss_before": before, "trials": len(study.trials), "pruned": n_pruned}
        )  # fmt: skip
        mlflow.log_dict(values, "tuned_parameters.json")
        mlflow.log_text(_trials_table(study).to_csv(index=False), "trials.csv")
    require_registered_model(registry)
    stored = {"values": values, "mlflow_run_id": run.info.run_id, "as_of": as_of.isoformat()}
    is_changed = best != base
    if is_changed:
        registry.client.set_registered_model_tag(registry.model_name, TUNED, json.dumps(stored))
    return TuneReport(
        as_of=as_of.isoformat(),
        model_name=registry.model_name,
        seasons=tuple(seasons),
        n_trials=len(study.trials),
        n_pruned=n_pruned,
        log_loss_before=before,
        log_loss=study.best_value,
        is_changed=is_changed,
        values=values,
        mlflow_run_id=run.info.run_id,
    )


def _trials_table(study: Study) -> pd.DataFrame:
    """One row per trial: number, state, mean log loss (so far, when pruned) and its values."""
    return pd.DataFrame(
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "log_loss": trial.value,
            **trial.params,
        }
        for trial in study.trials
    )


def _stored(registry: Registry) -> dict[str, Any]:
    from mlflow.exceptions import MlflowException

    try:
        tags = registry.client.get_registered_model(registry.model_name).tags
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    found: dict[str, Any] = json.loads(tags.get(TUNED, "{}"))
    return found
