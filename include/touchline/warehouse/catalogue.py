"""The catalogue: owner, description, grain, promised freshness and present age of every table and view."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from psycopg import sql

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.settings import PROJECT_ROOT, Settings
from touchline.warehouse.invocation import manifest_file

METADATA: Final = PROJECT_ROOT / "config" / "metadata.yaml"
SCHEMAS: Final = ("landing", "staging", "core", "features", "ledger", "analytics", "ops")
PROMISE: Final = re.compile(r"(\d+) ?(min|h|d)\b")
UNITS: Final = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
# Partitions belong to their table.
TABLES: Final = """
select nspname || '.' || relname as name, relkind in ('v', 'm') as is_view
from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
where nspname = any(%s) and relkind in ('r', 'p', 'v', 'm') and not relispartition
order by array_position(%s, nspname::text), relname
"""
BUILDS: Final = """
select step, max(as_of) as as_of from ops.pipeline_run where status = 'success' and step like 'build_%%' group by step
"""
LAYER_OF_SCHEMA: Final = {"staging": "core", "core": "core", "features": "features", "analytics": "analytics"}

State = Literal["fresh", "late", "empty", "unpromised", "unknown"]


@dataclass(frozen=True)
class CatalogueEntry:
    """One table or view. Fields without a description are None.

    `newest_at` (UTC, by the run clock) is the time of its newest row, or, for a dbt model, of the last build of its
    layer. `age_hours` is the time from then to the `as_of` asked for. `state` compares the age with the promise.
    """

    name: str
    owner: str | None
    description: str | None
    grain: str | None
    freshness: str | None
    newest_at: datetime | None
    age_hours: float | None
    state: State


def catalogue(settings: Settings, as_of: datetime, schema: str | None = None) -> list[CatalogueEntry]:
    """Every table and view of the warehouse (or of one schema), in the order of the layers."""
    described = {**described_by_dbt(settings), **described_by_file()}
    with connect(settings, "transform") as connection:
        builds = {row["step"]: row["as_of"] for row in rows(connection, BUILDS)}
        found = rows(connection, TABLES, (list(SCHEMAS), list(SCHEMAS)))
        names = [row["name"] for row in found if schema in (None, row["name"].partition(".")[0])]
        return [_entry(connection, name, described.get(name, {}), builds, as_of) for name in names]


def described_by_file(path: Path = METADATA) -> Mapping[str, Mapping[str, str]]:
    """The descriptions in config/metadata.yaml of the tables that dbt does not build, by `schema.table`."""
    found: dict[str, dict[str, str]] = yaml.safe_load(path.read_text())
    return found


def described_by_dbt(settings: Settings) -> Mapping[str, Mapping[str, str]]:
    """The descriptions and `meta:` of the dbt models."""
    return dict(_models(json.loads(manifest_file(settings).read_text())))


def _models(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str]]]:
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed", "snapshot"):
            # dbt keeps config: meta: and meta: of the YAML apart.
            meta = {**node.get("meta", {}), **node["config"].get("meta", {})}
            yield f"{node['schema']}.{node['alias']}", {"description": node["description"], **meta}


def _entry(
    connection: Connection,
    name: str,
    said: Mapping[str, str],
    builds: Mapping[str, datetime],
    as_of: datetime,
) -> CatalogueEntry:
    if "newest" in said:
        newest = _newest(connection, name, said["newest"])
    else:
        newest = builds.get(f"build_{LAYER_OF_SCHEMA.get(name.partition('.')[0])}")
    age = None if newest is None else (as_of - newest).total_seconds() / 3600
    promise = said.get("freshness")
    return CatalogueEntry(
        name=name,
        owner=said.get("owner"),
        description=said.get("description"),
        grain=said.get("grain"),
        freshness=promise,
        newest_at=newest,
        age_hours=age,
        state=_state(promise, age, is_measured="newest" in said),
    )


def _newest(connection: Connection, name: str, column: str) -> datetime | None:
    parts = column.split(".") if "." in column else [*name.split("."), column]
    query = sql.SQL("select max({}) from {}").format(sql.Identifier(parts[2]), sql.Identifier(*parts[:2]))
    newest: datetime | None = scalar(connection, query.as_string(connection))
    return newest


def _state(promise: str | None, age: float | None, *, is_measured: bool) -> State:
    within = PROMISE.search(promise or "")
    if within is None:
        return "unknown" if promise is None else "unpromised"
    if age is None:
        return "empty" if is_measured else "unknown"
    allowed = int(within[1]) * UNITS[within[2]]
    return "fresh" if timedelta(hours=age) <= allowed else "late"
