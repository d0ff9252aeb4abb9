"""What a registered model version was made from: an OpenLineage event pair of its fit, and edges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from touchline.openlineage.datasets import NAMESPACE, dataset_name, server_namespace, touched_by
from touchline.openlineage.edges import Edge, Node, dataset, record_edges
from touchline.openlineage.transport import run_event, send
from touchline.settings import Settings

# Tags of a version that say what it learned from.
LEARNED_FROM: Final = (
    "as_of", "trained_from", "trained_until", "n_matches", "n_features", "competitions", "dataset_digest",
    "code_version", "is_simulated", "primary",
)  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """A registered version and how it came about. `tags` are those of the registry; times are ISO 8601, UTC.

    `scores` are those of each forecast on `n_held_out` held-out matches, by the forecast's name.
    """

    model_name: str
    version: str
    mlflow_run_id: str
    tags: Mapping[str, str]
    started_at: datetime
    finished_at: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)
    n_held_out: int | None = None
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def emit(settings: Settings, fit: Fit, run_id: str) -> int:
    """Tell of a fit: edges training set -> version, and the first time its events; returns how many were sent."""
    if record_edges(settings, "model", _edges(settings, fit), run_id) == 0:
        return 0
    return send(settings, list(_events(settings, fit)))


def _edges(settings: Settings, fit: Fit) -> Iterator[Edge]:
    learned: dict[str, Any] = {name: fit.tags[name] for name in LEARNED_FROM if name in fit.tags}
    learned |= {"parameters": fit.parameters, "n_held_out": fit.n_held_out, "scores": fit.scores}
    training_set: Node = ("training_set", fit.tags["dataset_digest"])
    for table in touched_by("train").reads:
        yield Edge(dataset(settings, table), training_set)
    yield Edge(training_set, ("model_version", f"{fit.model_name}/{fit.version}"), learned)


def _events(settings: Settings, fit: Fit) -> Iterator[Any]:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset
    from openlineage.client.facet_v2 import (
        dataset_version_dataset,
        documentation_dataset,
        input_statistics_input_dataset,
        job_type_job,
    )  # fmt: skip
    from openlineage.client.uuid import generate_static_uuid

    as_of = datetime.fromisoformat(fit.tags["as_of"])
    statistics: dict[str, Any] = {
        "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            int(fit.tags["n_matches"])
        )
    }
    namespace = server_namespace(settings)
    inputs = [
        InputDataset(
            namespace, dataset_name(settings, table),
            inputFacets=statistics if table == "features.match_features" else {},
        )
        for table in touched_by("train").reads
    ]  # fmt: skip
    world = "simulated" if settings.is_simulated else "real"
    output = OutputDataset(
        f"{NAMESPACE}.models", fit.model_name,
        facets={
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(fit.version),
            "documentation": documentation_dataset.DocumentationDatasetFacet(
                f"Version {fit.version}, {fit.tags.get('primary', 'forecaster')} of {fit.tags['n_matches']} {world} "
                f"matches, MLflow run {fit.mlflow_run_id}, training set {fit.tags['dataset_digest']}"
            ),
        },
    )  # fmt: skip
    job = Job(
        NAMESPACE,
        f"fit.{fit.model_name}",
        {"jobType": job_type_job.JobTypeJobFacet("BATCH", "MLFLOW", "FIT")},
    )
    event_run = str(generate_static_uuid(fit.started_at, f"{fit.model_name}/{fit.version}".encode()))
    for kind, at in (("START", fit.started_at), ("COMPLETE", fit.finished_at)):
        yield run_event(settings, kind, at.isoformat(), event_run, job, inputs, [output], as_of)
