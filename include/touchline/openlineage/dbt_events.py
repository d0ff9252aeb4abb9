"""What a dbt run made from what: OpenLineage events of each model, and edges."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from touchline.database.engine import connect
from touchline.errors import SqlNotUnderstood
from touchline.openlineage.columns import ROWS, Warehouse, cache_of, read_columns
from touchline.openlineage.datasets import NAMESPACE, dataset_name, server_namespace
from touchline.openlineage.edges import Edge, dataset, record_edges, task_run
from touchline.openlineage.transport import run_event, send
from touchline.settings import Settings

log = logging.getLogger(__name__)

BUILT: Final = ("model", "seed", "snapshot")
# Views of analysts get the lineage of their columns with the event; of any other model ask `touchline lineage columns`.
WITH_COLUMNS: Final = "analytics."


@dataclass(frozen=True)
class BuiltModel:
    """One node that dbt built, or failed to. `relation` and `inputs` are `schema.table`; times ISO 8601, UTC."""

    unique_id: str
    name: str
    layer: str
    relation: str
    inputs: tuple[str, ...]
    description: str
    columns: Mapping[str, str]
    sql: str | None
    is_built: bool
    message: str
    started_at: str
    finished_at: str
    n_rows: int | None


def emit(settings: Settings, models: Sequence[BuiltModel], as_of: datetime, run_id: str, step: str) -> int:
    """Tell of what a dbt run built: events to the transport, edges to ops.lineage_edge.

    `step` names the task run that ran dbt, such as build_core. Two events a model, START and COMPLETE or FAIL;
    returns how many were sent. Told again of the same run it adds no edge. A transport that fails is logged.
    """
    record_edges(settings, "transform", _edges(settings, models, run_id, step), run_id)
    with connect(settings, "transform") as connection:
        columns = read_columns(connection)
    # What dbt has just built it has compiled: there is no need to read its manifest again, which has 10 MB.
    compiled = {model.relation: model.sql for model in models if model.sql}
    warehouse = Warehouse(columns, compiled, {}, cache_of(settings))
    events = [
        event for model in models for event in _events(settings, model, warehouse, as_of, f"{run_id}/{step}")
    ]
    return send(settings, events)


def built_models(manifest: Any, results: Sequence[Any], ended_at: datetime) -> list[BuiltModel]:
    """Models, seeds and snapshots among dbt's node results of a run that ended at `ended_at` (UTC), with its manifest.

    What dbt gave up before it began, and so did not time, ended with the run.
    """
    return [
        _built_model(manifest, result, ended_at)
        for result in results
        if result.node.resource_type in BUILT and result.status != "skipped"
    ]


def _built_model(manifest: Any, result: Any, ended_at: datetime) -> BuiltModel:
    node = result.node
    times = [
        at.replace(tzinfo=UTC) for each in result.timing for at in (each.started_at, each.completed_at) if at
    ]
    ended = max(times, default=ended_at)
    n_rows = (result.adapter_response or {}).get("rows_affected")
    return BuiltModel(
        unique_id=node.unique_id,
        name=node.name,
        layer=node.schema,
        relation=f"{node.schema}.{node.identifier}",
        inputs=tuple(_inputs(manifest, node)),
        description=node.description,
        columns={name: column.description for name, column in node.columns.items()},
        # Seeds are files, not SQL.
        sql=getattr(node, "compiled_code", None),
        is_built=result.status == "success",
        message=str(result.message or result.status),
        started_at=min(times, default=ended).isoformat(),
        finished_at=ended.isoformat(),
        n_rows=n_rows if isinstance(n_rows, int) and n_rows >= 0 else None,
    )


def _inputs(manifest: Any, node: Any) -> Iterator[str]:
    for unique_id in node.depends_on_nodes:
        parent = manifest.nodes.get(unique_id) or manifest.sources.get(unique_id)
        if parent is not None and parent.resource_type in (*BUILT, "source"):
            yield f"{parent.schema}.{parent.identifier}"


def _edges(settings: Settings, models: Sequence[BuiltModel], run_id: str, step: str) -> Iterator[Edge]:
    run = task_run(run_id, step)
    for model in models:
        if model.is_built:
            yield Edge(run, dataset(settings, model.relation))
            for name in model.inputs:
                yield Edge(dataset(settings, name), run)
                yield Edge(dataset(settings, name), dataset(settings, model.relation))


def _events(
    settings: Settings, model: BuiltModel, warehouse: Warehouse, as_of: datetime, run: str
) -> Iterator[Any]:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset
    from openlineage.client.facet_v2 import (
        documentation_dataset,
        documentation_job,
        error_message_run,
        job_type_job,
        output_statistics_output_dataset,
        schema_dataset,
        sql_job,
    )  # fmt: skip
    from openlineage.client.uuid import generate_static_uuid

    namespace = server_namespace(settings)
    facets: dict[str, Any] = {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", "DBT", "MODEL"),
        "documentation": documentation_job.DocumentationJobFacet(model.description),
    }
    if model.sql:
        facets["sql"] = sql_job.SQLJobFacet(model.sql, dialect="postgres")
    job = Job(NAMESPACE, f"dbt.{model.relation}", facets)
    inputs = [InputDataset(namespace, dataset_name(settings, name)) for name in model.inputs]
    about: dict[str, Any] = {
        "documentation": documentation_dataset.DocumentationDatasetFacet(model.description),
        "schema": schema_dataset.SchemaDatasetFacet(
            [
                schema_dataset.SchemaDatasetFacetFields(name, description=model.columns.get(name))
                for name in warehouse.columns.get(model.relation, model.columns)
            ]
        ),
    }
    if model.is_built and model.relation.startswith(WITH_COLUMNS):
        about.update(_column_lineage(settings, model, warehouse))
    made: dict[str, Any] = {}
    if model.n_rows is not None:
        made["outputStatistics"] = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            model.n_rows
        )
    output = OutputDataset(namespace, dataset_name(settings, model.relation), outputFacets=made, facets=about)
    started = datetime.fromisoformat(model.started_at)
    event_run = str(generate_static_uuid(started, f"{run}/{model.unique_id}".encode()))
    # What is known of the datasets is told once, at the end.
    begun = OutputDataset(output.namespace, output.name)
    yield run_event(
        settings, "START", model.started_at, event_run, Job(job.namespace, job.name), inputs, [begun], as_of
    )
    if model.is_built:
        yield run_event(settings, "COMPLETE", model.finished_at, event_run, job, inputs, [output], as_of)
    else:
        error = error_message_run.ErrorMessageRunFacet(model.message, "SQL")
        yield run_event(
            settings, "FAIL", model.finished_at, event_run, job, inputs, [output], as_of, errorMessage=error
        )


def _column_lineage(settings: Settings, model: BuiltModel, warehouse: Warehouse) -> dict[str, Any]:
    """The columnLineage facet; empty, with a warning, for SQL that the parser does not understand."""
    from openlineage.client.facet_v2 import column_lineage_dataset

    try:
        made_from = warehouse.made_from(model.relation)
    except SqlNotUnderstood as error:
        log.warning("No lineage of columns: %s", error)
        return {}
    namespace = server_namespace(settings)
    fields = {}
    for column, names in made_from.items():
        parts = [name.rpartition(".") for name in names if not name.endswith(f".{ROWS}")]
        if parts:
            fields[column] = column_lineage_dataset.Fields(
                [
                    column_lineage_dataset.InputField(
                        namespace, dataset_name(settings, relation), name,
                        [column_lineage_dataset.Transformation("DIRECT")],
                    )
                    for relation, _, name in parts
                ]
            )  # fmt: skip
    return {"columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields)}
