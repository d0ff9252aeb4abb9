"""Registered models: load one, list them, move the champion forward and back.

The champion is the version with the alias `champion`. The tag `champion_history` of the registered model lists the
last hundred champions in order, the present one last.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from touchline.errors import ModelUnavailable, ServiceFailed
from touchline.registry.tracking import Registry

if TYPE_CHECKING:
    from touchline.forecasting.forecaster import Forecaster

CHAMPION, CHALLENGER = "champion", "challenger"
# The version that waits for a person's approval. Meanwhile it forecasts in the shadow, even beside a newer challenger.
CANDIDATE = "candidate"
STATE = "state"
HISTORY = "champion_history"
# MLflow limits a tag to 5000 characters, which one champion per night would exceed within two years.
LONGEST_HISTORY = 100
ROLLED_BACK = "rolled_back"
AS_OF, CONFIRMED_AS_OF = "as_of", "confirmed_as_of"
TRAIN_FIRST = "train one with `touchline train`"
# Matches without any known feature, which every model that expects today's features can forecast.
UNKNOWN_MATCHES = 3


@dataclass(frozen=True)
class RegisteredForecaster:
    """A forecaster with the name and version it is registered under."""

    name: str
    version: str
    forecaster: Forecaster


@dataclass(frozen=True)
class ModelVersion:
    """One registered version as the registry describes it. `tags` hold what training wrote."""

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    tags: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True)
class TrainedVersion:
    """The data of a version: everything known at `as_of`, with kick-offs until `trained_until` (both UTC).

    `confirmed_as_of` is the `as_of` of the last training that found nothing new to learn and reused this version.
    """

    version: str
    as_of: datetime
    trained_until: datetime
    confirmed_as_of: datetime | None = None


@dataclass(frozen=True)
class ChampionReport:
    """The champion's alias moved from one version to another."""

    model_name: str
    from_version: str | None
    to_version: str

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        return (
            f"{self.model_name}: champion was version {self.from_version}, is version {self.to_version} now."
        )


def load(registry: Registry, alias: str = CHAMPION) -> RegisteredForecaster:
    """The forecaster behind an alias; each version is downloaded, unpickled and tried on today's features once.

    Raises ModelUnavailable when no version has the alias, or this code cannot read it or forecast with it;
    ServiceFailed when MLflow does not answer or the download fails.
    """
    version = aliased_version(registry, alias)
    if version is None:
        raise ModelUnavailable(f"no version of {registry.model_name} has the alias {alias}: {TRAIN_FIRST}")
    return load_version(registry, version)


def load_version(registry: Registry, version: str) -> RegisteredForecaster:
    """The forecaster of a version that exists. Raises ModelUnavailable and ServiceFailed as `load` does."""
    return _read(registry, registry.client.get_model_version(registry.model_name, version))


def _read(registry: Registry, found: Any) -> RegisteredForecaster:
    version = str(found.version)
    # The run id keeps folders of different registries apart, each of which counts versions from one.
    folder = registry.folder / f"{version}-{found.run_id}"
    return RegisteredForecaster(
        registry.model_name, version, _read_forecaster(f"models:/{registry.model_name}/{version}", folder)
    )


def champion_version(registry: Registry) -> str | None:
    """The champion's version, None when there is no champion."""
    return aliased_version(registry, CHAMPION)


def challenger_versions(registry: Registry) -> tuple[str, ...]:
    """Versions that forecast in the champion's shadow: the one that awaits approval, then the newest challenger."""
    return predicting_versions(registry)[1]


def predicting_versions(registry: Registry) -> tuple[str | None, tuple[str, ...]]:
    """The champion's version and the challengers', by a single request."""
    aliases = aliased_versions(registry)
    champion, *others = (aliases.get(alias) for alias in (CHAMPION, CANDIDATE, CHALLENGER))
    return champion, tuple(dict.fromkeys(each for each in others if each is not None and each != champion))


def versions(registry: Registry) -> list[ModelVersion]:
    """Every registered version with its aliases, tags and metrics, newest first."""
    aliases = aliased_versions(registry)
    found = registry.client.search_model_versions(f"name = '{registry.model_name}'")
    return [
        ModelVersion(
            name=each.name,
            version=str(each.version),
            aliases=tuple(sorted(name for name, version in aliases.items() if version == str(each.version))),
            run_id=each.run_id,
            tags=dict(each.tags),
            metrics=dict(registry.client.get_run(each.run_id).data.metrics),
        )
        for each in sorted(found, key=lambda each: -int(each.version))
    ]


def trained_versions(registry: Registry) -> list[TrainedVersion]:
    """When each registered version was trained, in no particular order, by a single request."""
    found = registry.client.search_model_versions(f"name = '{registry.model_name}'")
    return [
        TrainedVersion(
            str(each.version),
            datetime.fromisoformat(each.tags[AS_OF]),
            datetime.fromisoformat(each.tags["trained_until"]),
            _confirmed_as_of(each),
        )
        for each in found
    ]


def confirm(registry: Registry, version: str, as_of: datetime) -> None:
    """Record that a training as of `as_of` found nothing new to learn beyond this version."""
    found = registry.client.get_model_version(registry.model_name, version)
    latest = _confirmed_as_of(found) or datetime.fromisoformat(found.tags[AS_OF])
    if as_of > latest:
        registry.client.set_model_version_tag(
            registry.model_name, version, CONFIRMED_AS_OF, as_of.isoformat()
        )


def confirm_newest(registry: Registry, as_of: datetime) -> None:
    """As `confirm`, for the version that was trained last: its training data has not changed since."""
    trained = trained_versions(registry)
    if trained:
        newest = max(trained, key=lambda each: (each.confirmed_as_of or each.as_of, int(each.version)))
        confirm(registry, newest.version, as_of)


def _confirmed_as_of(version: Any) -> datetime | None:
    tag = version.tags.get(CONFIRMED_AS_OF)
    return None if tag is None else datetime.fromisoformat(tag)


def promote(registry: Registry, version: str) -> ChampionReport:
    """Give `version` the alias champion and record it in the history; does nothing when it has the alias already.

    The version stops being challenger or candidate, and no longer counts as rolled back. Raises ModelUnavailable when
    there is no such version, or this code cannot forecast with it; then the alias does not move.
    """
    found = require_version(registry, version)
    _read(registry, found)
    aliases = aliased_versions(registry)
    before = aliases.get(CHAMPION)
    history = [each for each in _champions_until(registry, before) if each != version]
    # The history first: after a kill in between, the entries after the actual champion are ignored.
    kept = [*history, version][-LONGEST_HISTORY:]
    registry.client.set_registered_model_tag(registry.model_name, HISTORY, json.dumps(kept))
    registry.client.set_registered_model_alias(registry.model_name, CHAMPION, version)
    for alias in (CHALLENGER, CANDIDATE):
        if aliases.get(alias) == version:
            registry.client.delete_registered_model_alias(registry.model_name, alias)
    registry.client.set_model_version_tag(registry.model_name, version, STATE, "promoted")
    if ROLLED_BACK in found.tags:
        registry.client.delete_model_version_tag(registry.model_name, version, ROLLED_BACK)
    return ChampionReport(registry.model_name, before, version)


def rollback(registry: Registry) -> ChampionReport:
    """Give the alias champion back to the version that held it before the present one.

    The version rolled back is tagged, so that training promotes neither it nor another version with its recipe, unless
    the champion has that recipe too. Raises ModelUnavailable when there is no champion, or none before it, or this
    code cannot forecast with that one; then the alias does not move.
    """
    current = aliased_version(registry, CHAMPION)
    if current is None:
        raise ModelUnavailable(f"{registry.model_name} has no champion to roll back: {TRAIN_FIRST}")
    earlier = _champions_until(registry, current)[:-1]
    if not earlier:
        raise ModelUnavailable(
            f"version {current} is the first champion of {registry.model_name}: there is none to go back to"
        )
    load_version(registry, earlier[-1])
    registry.client.set_model_version_tag(registry.model_name, current, ROLLED_BACK, "true")
    registry.client.set_registered_model_alias(registry.model_name, CHAMPION, earlier[-1])
    registry.client.set_registered_model_tag(registry.model_name, HISTORY, json.dumps(earlier))
    return ChampionReport(registry.model_name, current, earlier[-1])


def aliased_version(registry: Registry, alias: str) -> str | None:
    """The version with this alias, None when no version has it or nothing is registered yet."""
    return aliased_versions(registry).get(alias)


def aliased_versions(registry: Registry) -> dict[str, str]:
    """The version behind each alias, by a single request; empty when nothing is registered yet."""
    from mlflow.exceptions import MlflowException

    try:
        aliases = registry.client.get_registered_model(registry.model_name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: str(version) for alias, version in aliases.items()}


def _champions_until(registry: Registry, current: str | None) -> list[str]:
    """Champions in the order in which they held the alias, up to `current`, which is the last."""
    if current is None:
        return []
    tags = registry.client.get_registered_model(registry.model_name).tags
    history = [str(version) for version in json.loads(tags.get(HISTORY, "[]"))]
    return [*history[: history.index(current)], current] if current in history else [current]


def require_version(registry: Registry, version: str) -> Any:
    """A version as MLflow gives it. Raises ModelUnavailable when there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return registry.client.get_model_version(registry.model_name, version)
    except MlflowException as error:
        raise ModelUnavailable(
            f"{registry.model_name} has no version {version}: `touchline models` lists all versions"
        ) from error


@lru_cache(maxsize=4)
def _read_forecaster(model_uri: str, folder: Path) -> Forecaster:
    """Read the copy in `folder`, after downloading it if needed.

    Only a complete copy can prove a model unreadable; a store that does not answer proves nothing.
    """
    if folder.exists():
        # An old copy may be damaged, so the registry's own decides.
        with suppress(Exception):
            return _able_forecaster(folder)
        shutil.rmtree(folder, ignore_errors=True)
    _download(model_uri, folder)
    try:
        return _able_forecaster(folder)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModelUnavailable(
            f"{model_uri} cannot be read by this code, or does not forecast from today's features "
            f"({type(error).__name__}: {error}): {TRAIN_FIRST}, or promote another (`touchline models`)"
        ) from error


def _able_forecaster(folder: Path) -> Forecaster:
    """Unpickle and try a model: after a change of features it would still unpickle, but fail at every forecast."""
    import mlflow
    import numpy as np
    import pandas as pd

    from touchline.features.catalogue import FEATURES
    from touchline.forecasting.forecaster import Forecaster

    forecaster = mlflow.pyfunc.load_model(str(folder)).unwrap_python_model().forecaster
    assert isinstance(forecaster, Forecaster), f"a {type(forecaster).__name__}"
    forecaster.predict(pd.DataFrame(np.nan, index=range(UNKNOWN_MATCHES), columns=list(FEATURES)))
    return forecaster


def _download(model_uri: str, folder: Path) -> None:
    """Download into `folder` atomically, so that a kill leaves no half copy. Raises ServiceFailed."""
    import mlflow

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
        try:
            mlflow.artifacts.download_artifacts(artifact_uri=model_uri, dst_path=draft)
        except (mlflow.exceptions.MlflowException, OSError) as error:
            raise ServiceFailed(_not_downloaded(model_uri, f"{type(error).__name__}: {error}")) from error
        # MLflow creates an empty folder when it does not find the files.
        if not Path(draft, "MLmodel").exists():
            raise ServiceFailed(_not_downloaded(model_uri, "its files are not in the artifact store"))
        # Another process may have finished first; its copy is the same.
        if not folder.exists():
            Path(draft).rename(folder)
            Path(draft).mkdir()


def _not_downloaded(model_uri: str, reason: str) -> str:
    return (
        f"{model_uri} could not be downloaded ({reason}): check that MLflow and its artifact store answer "
        "(`touchline doctor`), then run this again; if the files are lost, `touchline models promote` another version"
    )
