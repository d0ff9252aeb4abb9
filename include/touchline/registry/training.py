"""Train: evaluate by walking forward, fit on everything, log, register, and decide about the champion.

A kill at any point leaves nothing wrong: a run without a registered version is ignored and made again, and a
version whose verdict was not noted is judged by the next run.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from touchline.errors import ModelUnavailable
from touchline.features.training import training_frame
from touchline.forecasting.evaluation import evaluate
from touchline.forecasting.forecaster import ForecasterParameters, fit_forecaster
from touchline.forecasting.walk_forward import MARKET_PREMATCH, walk_forward
from touchline.lineage import model_events
from touchline.quality.gates import check_training
from touchline.registry import models
from touchline.registry.fingerprints import training_key
from touchline.registry.logged_run import Training, log_training
from touchline.registry.promotion import Verdict, judge, walk_forward_of
from touchline.registry.tracking import open_registry
from touchline.settings import Settings

FEWEST_MATCHES = 300
VERDICT = "verdict"


@dataclass(frozen=True)
class TrainReport:
    """What training did. Scores are of the primary forecast on the held-out seasons; None when it was reused
    from a version that had none. `alias` is champion, challenger, or empty for a version that has neither."""

    as_of: str
    model_name: str
    version: str
    alias: str
    primary: str
    is_reused: bool
    n_matches: int
    reason: str
    n_held_out: int | None
    log_loss: float | None
    rps: float | None
    market_log_loss: float | None
    mlflow_run_id: str

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        made = "data, code and parameters are those of" if self.is_reused else "registered"
        scored = (
            "" if self.log_loss is None else f", log loss {self.log_loss:.5f} on {self.n_held_out:,} matches"
        )
        market = "" if self.market_log_loss is None else f" (market {self.market_log_loss:.5f})"
        return (
            f"{self.model_name}: {made} version {self.version}, {self.primary} from {self.n_matches:,} matches"
            f"{scored}{market}; {self.alias or 'no alias'}: {self.reason}."
        )


def train(settings: Settings, as_of: datetime, run_id: str) -> TrainReport:
    """Train on every match known at `as_of` and register the forecaster under `settings.model_name`.

    See `train_on`; the matches are those since `settings.training_since`, their features joined as of each
    kick-off, without the competitions whose rows the gate on training sets holds. Raises QualityGateFailed.
    """
    open_registry(settings)
    matches = training_frame(settings, as_of, since=settings.training_since)
    if len(matches):
        held = check_training(settings, matches, as_of, run_id).held
        matches = matches[~matches["competition"].isin(held)].reset_index(drop=True)
    return train_on(settings, matches, ForecasterParameters(seed=settings.random_seed), as_of, run_id)


def train_on(
    settings: Settings, matches: pd.DataFrame, parameters: ForecasterParameters, as_of: datetime, run_id: str
) -> TrainReport:
    """Evaluate, fit, log, register and judge a forecaster of `matches` (a training frame).

    The alias champion moves if the new version is not worse than the champion on held-out matches, otherwise it
    becomes challenger. With the data, parameters and code of a registered version, that version is reused.
    Raises ModelUnavailable when there are too few matches, ServiceFailed when MLflow does not answer.
    """
    client = open_registry(settings)
    seasons = evaluated_seasons(matches, settings.evaluation_seasons)
    if not seasons:
        raise ModelUnavailable(
            f"{len(matches)} played matches are known as of {as_of.isoformat()}, none of them in a season with "
            f"{FEWEST_MATCHES} before it: too few to learn from; collect earlier seasons, then build"
        )
    key = training_key(matches, parameters, settings.evaluation_seasons)
    version = _registered(client, settings.model_name, key)
    is_reused = version is not None
    if version is None:
        predictions = walk_forward(matches, seasons, parameters)
        training = Training(
            matches, parameters, fit_forecaster(matches, parameters), predictions,
            evaluate(predictions, parameters.seed), key, as_of, run_id,
        )  # fmt: skip
        version = log_training(client, settings, training)
    model_events.emit(settings, _fit(client, settings, version), run_id)
    _settle_alias(client, settings, version, parameters.seed)
    return _report(client, settings, as_of, version, is_reused=is_reused)


def evaluated_seasons(matches: pd.DataFrame, n: int) -> list[str]:
    """The last `n` seasons before whose first match at least `FEWEST_MATCHES` had been played."""
    firsts = matches.groupby("season")["kickoff_at"].min().sort_values()
    usable = [
        str(season)
        for season, first in firsts.items()
        if (matches["kickoff_at"] < first).sum() >= FEWEST_MATCHES
    ]
    return usable[-n:]


def _registered(client: Any, model_name: str, key: str) -> str | None:
    found = client.search_model_versions(f"name = '{model_name}' and tags.training_key = '{key}'")
    return max((str(each.version) for each in found), key=int, default=None)


def _fit(client: Any, settings: Settings, version: str) -> model_events.Fit:
    found = client.get_model_version(settings.model_name, version)
    started = datetime.fromtimestamp(client.get_run(found.run_id).info.start_time / 1000, UTC)
    finished = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
    return model_events.Fit(settings.model_name, version, found.run_id, dict(found.tags), started, finished)


def _settle_alias(client: Any, settings: Settings, version: str, seed: int) -> None:
    """Judge a version once, note the verdict with it, and move the alias accordingly."""
    name = settings.model_name
    found = client.get_model_version(name, version)
    champion = models.aliased_version(client, name, models.CHAMPION)
    if VERDICT in found.tags and champion is not None:
        return
    if champion == version:
        verdict = Verdict(True, "it was the champion already")
    elif champion is None:
        verdict = Verdict(True, "there was no champion")
    else:
        holder = client.get_model_version(name, champion)
        with tempfile.TemporaryDirectory() as folder:
            new, old = (Path(tempfile.mkdtemp(dir=folder)) for _ in range(2))
            verdict = judge(
                walk_forward_of(client, found.run_id, new), found.tags["primary"],
                walk_forward_of(client, holder.run_id, old), holder.tags["primary"], seed,
            )  # fmt: skip
    if verdict.is_promoted:
        models.promote(settings, version)
    else:
        client.set_registered_model_alias(name, models.CHALLENGER, version)
    client.set_model_version_tag(name, version, VERDICT, verdict.reason)


def _report(
    client: Any, settings: Settings, as_of: datetime, version: str, *, is_reused: bool
) -> TrainReport:
    found = client.get_model_version(settings.model_name, version)
    metrics = client.get_run(found.run_id).data.metrics
    primary = found.tags["primary"]
    held = [
        alias
        for alias in (models.CHAMPION, models.CHALLENGER)
        if models.aliased_version(client, settings.model_name, alias) == version
    ]
    n_held_out = metrics.get("held_out_matches")
    return TrainReport(
        as_of=as_of.isoformat(),
        model_name=settings.model_name,
        version=version,
        alias=held[0] if held else "",
        primary=primary,
        is_reused=is_reused,
        n_matches=int(found.tags["n_matches"]),
        reason=found.tags[VERDICT],
        n_held_out=None if n_held_out is None else int(n_held_out),
        log_loss=metrics.get(f"{primary}.log_loss"),
        rps=metrics.get(f"{primary}.rps"),
        market_log_loss=metrics.get(f"{MARKET_PREMATCH}.log_loss"),
        mlflow_run_id=found.run_id,
    )
