"""The connection to MLflow."""

from __future__ import annotations

import importlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from touchline.errors import ServiceFailed
from touchline.settings import Settings

ANSWERS_WITHIN = 10.0


@dataclass(frozen=True)
class Registry:
    """An open connection to MLflow (`client`, an mlflow.MlflowClient) and the registered model that it is about.

    `folder` keeps copies of downloaded versions.
    """

    client: Any
    model_name: str
    folder: Path
    is_simulated: bool


def tracking_uri(settings: Settings) -> str:
    """Where MLflow is: the address given in the settings, or our own server's."""
    if settings.mlflow_tracking_uri is not None:
        return settings.mlflow_tracking_uri
    return f"http://127.0.0.1:{settings.running_port('mlflow', settings.mlflow_port)}"


def stored_file(run: Any, name: str, folder: Path) -> Path:
    """Download a file that a run (an mlflow.entities.Run) logged, to `folder`.

    MlflowClient.download_artifacts would ask for the run three times, and for the models that it logged.
    """
    import mlflow

    return Path(mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/{name}", dst_path=str(folder)))


def open_registry(settings: Settings) -> Registry:
    """The registered model of these settings; the fluent API of this process uses the same server.

    Raises ServiceFailed when nothing answers there, immediately instead of after MLflow's minutes of retries.
    """
    address = tracking_uri(settings)
    try:
        # Without TLS there is nothing to verify, and to read all certificates takes longer than the answer.
        verified = address.startswith("https:")
        httpx.get(f"{address}/health", timeout=ANSWERS_WITHIN, verify=verified).raise_for_status()
    except httpx.HTTPError as error:
        raise ServiceFailed(
            f"MLflow does not answer at {address} ({error}): start it with `touchline up`, "
            "or correct TOUCHLINE_MLFLOW_TRACKING_URI"
        ) from error
    # MLflow reads these when it is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    import mlflow

    _ask_without_feast()
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(address)
    mlflow.set_registry_uri(address)
    return Registry(
        mlflow.MlflowClient(address, address),
        settings.model_name,
        settings.home / "models" / settings.model_name,
        settings.is_simulated,
    )


def _ask_without_feast() -> None:
    """Load what MLflow's requests need, but for Feast's headers: with them, the first request loads all of Feast."""
    from mlflow.utils import plugins

    registered = plugins.get_entry_points
    plugins.get_entry_points = lambda group: [each for each in registered(group) if each.name != "feast"]
    try:
        importlib.import_module("mlflow.tracking.request_header.registry")
    finally:
        plugins.get_entry_points = registered
