"""Plan a build: find the matches with newly landed facts, and decide between an incremental and a full build.

ops.layer_build records for each layer its `as_of`, the last change processed, and its definition. If the next build
can continue from there, it processes only what changed; otherwise, or when that is quicker, the layer is built in
full. Both end in the same tables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.errors import WarehouseBuildFailed
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.landed import note_changes, note_everything

PlannedLayer = Literal["core", "ratings", "features", "analytics"]
# The layers that process changes; analytics holds views, which have nothing to catch up with.
CHANGING_LAYERS: tuple[PlannedLayer, ...] = ("core", "ratings", "features")
DBT_PROJECT = PROJECT_ROOT / "dbt_project"


@dataclass(frozen=True)
class Plan:
    """How a layer is to be built: in full, or from the changes after `since`, known from `known_from` on (UTC).

    `built_as_of` is the `as_of` of the layer's last build. `known_from` is no later than that, because a fixture's
    features move with the clock.
    """

    layer: str
    as_of: datetime
    is_full: bool
    since: int
    until: int
    built_as_of: datetime | None
    known_from: datetime | None
    n_matches: int
    definition: str


@contextmanager
def building(settings: Settings) -> Iterator[Connection]:
    """Allow one build at a time: another waits here until this one has ended.

    Yields the connection that holds the lock, which commits by itself. Raises DatabaseUnavailable when the build failed
    because PostgreSQL went away.
    """
    with connect(settings, "transform") as connection:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock(hashtext('warehouse build'))")
        try:
            yield connection
        except WarehouseBuildFailed:
            # dbt reports a lost connection as it reports an error in SQL. This connection is lost with dbt's.
            connection.execute("select")
            raise


def plan(
    settings: Settings, layer: PlannedLayer, as_of: datetime, definition: str, *, is_full: bool = False
) -> Plan:
    """The plan that brings a layer to `as_of` (UTC); a plan of core first records what has landed since.

    Ratings and features use the `as_of` of core and process what core has. A layer that must be built in full loses
    its row in ops.layer_build, and so do the layers that read it, so that after a killed build the next one is full
    again. `is_full` asks for a full build. Raises WarehouseBuildFailed when core was not built.
    """
    with connect(settings, "transform") as connection:
        built = _built(connection, layer)
        if layer == "core":
            until = _newest_change(connection) + 1
        else:
            core = _built(connection, "core")
            if core is None:
                raise WarehouseBuildFailed(f"{layer} cannot be built before core: run `touchline build`")
            until = core["change_id"]
            as_of = as_of if layer == "analytics" else core["as_of"]
        if built and (is_full or not _goes_on(layer, built, as_of, definition)):
            built = None
        if built and layer == "core" and not note_changes(connection, as_of, until, built):
            built = None
        if built is None:
            _forget(connection, layer)
            if layer == "core":
                note_everything(connection, as_of)
        since = built["change_id"] if built else 0
        (change,) = rows(
            connection,
            "select count(distinct match_id) as n, min(known_from) as known_from from ops.match_change "
            "where change_id > %s",
            (since,),
        )
    built_as_of = built["as_of"] if built else None
    known_from = min(change["known_from"] or built_as_of, built_as_of) if built_as_of else None
    return Plan(layer, as_of, built is None, since, until, built_as_of, known_from, change["n"], definition)


def _goes_on(layer: PlannedLayer, built: dict[str, Any], as_of: datetime, definition: str) -> bool:
    """Whether a build can continue from the last one; views hold no rows that going back in time would remove."""
    return definition == built["definition"] and (layer == "analytics" or as_of >= built["as_of"])


def stands_as_of(settings: Settings, layer: PlannedLayer) -> datetime | None:
    """The `as_of` (UTC) of a layer's last build; None when it was never built, or its last full build did not end."""
    with connect(settings, "transform") as connection:
        built = _built(connection, layer)
    return None if built is None else built["as_of"]


def note_built_in(connection: Connection, done: Plan, run_id: str) -> None:
    """Record that a layer was built as planned, in the caller's transaction.

    Changes that every layer has processed are removed.
    """
    connection.execute(
        "insert into ops.layer_build (layer, as_of, change_id, definition, is_full, run_id) "
        "values (%s, %s, %s, %s, %s, %s) on conflict (layer) do update set as_of = excluded.as_of, "
        "change_id = excluded.change_id, definition = excluded.definition, is_full = excluded.is_full, "
        "run_id = excluded.run_id, built_at = clock_timestamp()",
        (done.layer, done.as_of, done.until, done.definition, done.is_full, run_id),
    )
    connection.execute(
        "delete from ops.match_change where change_id <= (select min(change_id) from ops.layer_build "
        "where layer = any(%s) having count(*) = %s)",
        (list(CHANGING_LAYERS), len(CHANGING_LAYERS)),
    )


def definition_of(layer: PlannedLayer, *parts: object) -> str:
    """Digest of what a layer's tables depend on besides the facts: its models, seeds and macros, and `parts`."""
    digest = hashlib.sha256(json.dumps(parts, default=str).encode())
    folders = ("models/staging", "models/core", "seeds", "macros", f"models/{layer}")
    paths = [path for folder in folders for path in sorted((DBT_PROJECT / folder).rglob("*.*"))]
    for path in (DBT_PROJECT / "dbt_project.yml", *paths):
        if path.suffix in (".sql", ".csv", ".yml"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _built(connection: Connection, layer: str) -> dict[str, Any] | None:
    found = rows(
        connection, "select as_of, change_id, definition from ops.layer_build where layer = %s", (layer,)
    )
    return found[0] if found else None


def _newest_change(connection: Connection) -> int:
    return int(
        scalar(
            connection,
            "select greatest((select max(change_id) from ops.match_change), "
            "(select max(change_id) from ops.layer_build), 0)",
        )
    )


def _forget(connection: Connection, layer: PlannedLayer) -> None:
    """Delete the record of a layer's last build, and those of the layers that read it."""
    after = CHANGING_LAYERS[CHANGING_LAYERS.index(layer) :] if layer in CHANGING_LAYERS else (layer,)
    connection.execute("delete from ops.layer_build where layer = any(%s)", (list(after),))
