"""ops.lineage_edge: what was made from what, between runs, datasets and models. Rows of landing are not copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from psycopg.types.json import Jsonb

from touchline.database.engine import Connection, connect
from touchline.openlineage.datasets import dataset_name, touched_by
from touchline.settings import Role, Settings

Kind = Literal["source", "dataset", "task_run", "training_set", "model_version", "prediction_run"]
Node = tuple[Kind, str]

INSERT: Final = """
insert into ops.lineage_edge (from_kind, from_id, to_kind, to_id, run_id, detail)
select from_kind, from_id, to_kind, to_id, %s, detail
from unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[]) with ordinality
    as edge (from_kind, from_id, to_kind, to_id, detail, place)
order by place
on conflict do nothing
"""


@dataclass(frozen=True)
class Edge:
    """`to` was made from `from_`; each is a kind and an id.

    Ids: a dataset's `database.schema.table`, a task run's `run id/step`, a training set's SHA-256, a model's
    `name/version`, a prediction run's run id, a source's name.
    """

    from_: Node
    to: Node
    detail: Mapping[str, Any] = field(default_factory=dict)


def record_edges(settings: Settings, role: Role, edges: Iterable[Edge], run_id: str) -> int:
    """Write the edges that are not there yet; returns how many. A repeated run changes nothing."""
    with connect(settings, role) as connection:
        return record_edges_in(connection, edges, run_id)


def record_edges_in(connection: Connection, edges: Iterable[Edge], run_id: str) -> int:
    """As `record_edges`, in the caller's transaction."""
    values = [(*edge.from_, *edge.to, Jsonb(dict(edge.detail))) for edge in edges]
    if not values:
        return 0
    columns = [list(column) for column in zip(*values, strict=True)]
    return connection.execute(INSERT, (run_id, *columns)).rowcount


def record_step(
    connection: Connection, settings: Settings, step: str, run_id: str, detail: Mapping[str, Any]
) -> None:
    """Edges of a step that has succeeded: its task run with the datasets, sources and models it worked on.

    `detail` is what the step recorded of itself in ops.pipeline_run.
    """
    record_edges_in(connection, _edges_of_step(settings, step, run_id, detail), run_id)


def task_run(run_id: str, step: str) -> Node:
    """The node of one step of one run."""
    return ("task_run", f"{run_id}/{step}")


def dataset(settings: Settings, table: str) -> Node:
    """The node of a table given as `schema.table`."""
    return ("dataset", dataset_name(settings, table))


def _edges_of_step(settings: Settings, step: str, run_id: str, detail: Mapping[str, Any]) -> Iterator[Edge]:
    touched, run = touched_by(step), task_run(run_id, step)
    for table in touched.reads:
        yield Edge(dataset(settings, table), run)
    for table in touched.writes:
        yield Edge(run, dataset(settings, table))
        yield from (Edge(dataset(settings, read), dataset(settings, table)) for read in touched.reads)
    if step.startswith("collect_"):
        for source in str(detail.get("source", "")).split(", "):
            if source:
                yield Edge(("source", source), run)
                yield from (Edge(("source", source), dataset(settings, table)) for table in touched.writes)
    if step.partition("/")[0] == "predict" and detail.get("model_version"):
        predicted: Node = ("prediction_run", run_id)
        yield Edge(("model_version", f"{settings.model_name}/{detail['model_version']}"), predicted)
        yield Edge(dataset(settings, "features.match_features"), predicted)
        yield Edge(predicted, dataset(settings, "ledger.prediction"))
