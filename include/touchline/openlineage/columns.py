"""Columns back to the columns they were made from, read off the SQL that dbt compiled."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

from touchline.database.engine import Connection, rows
from touchline.errors import ColumnUnknown, SqlNotUnderstood, WarehouseNotBuilt
from touchline.settings import Settings

_SIDES: Final = ("core.result_version.home_team_id", "core.result_version.away_team_id")
# A rating holds from one change of what is known to the next: a result comes, is another, or is none any more.
_PERIOD: Final = ("core.result_version.valid_from", "core.result_version.valid_to")
_KICKOFF: Final = "core.result_version.kickoff_at"
_PRICES: Final = tuple(
    f"core.result_price.{kind}_{outcome}"
    for kind in ("price", "pinnacle")
    for outcome in ("home", "draw", "away")
)


def _of_result(*statistics: str) -> tuple[str, ...]:
    return tuple(f"core.result_version.{side}_{name}" for name in statistics for side in ("home", "away"))


# The table that the ratings step makes: what a column rests on, and under "" the ratings that say nothing else.
TEAM_RATING: Final = "features.team_rating"
_RATINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "team_id": _SIDES,
    "match_id": ("core.result_version.match_id",),
    "kickoff_at": (_KICKOFF,),
    "valid_from": _PERIOD,
    "valid_to": _PERIOD,
    "": (*_SIDES, _KICKOFF, "core.result_version.tier", *_of_result("goals", "shots", "shots_on_target")),
}
COLUMNS: Final = """
select nspname || '.' || relname as relation, attname as column
from pg_attribute
inner join pg_class on attrelid = pg_class.oid
inner join pg_namespace on relnamespace = pg_namespace.oid
where nspname = any(%s) and relkind in ('r', 'p', 'v') and attnum > 0 and not attisdropped
order by nspname, relname, attnum
"""
SCHEMAS: Final = ("landing", "ledger", "ops", "staging", "core", "features", "analytics")
# Of a model: the SQL of a full build and that of an increment, before and after all later models are there.
KEPT: Final = 4
# Rows counted rather than a value taken.
ROWS: Final = "*"


@dataclass(frozen=True)
class ColumnOrigin:
    """One column and what it comes from.

    `made_from` are the columns of its own model's SQL, `sources` those of landing, ledger, ops and seeds in the end,
    all as `schema.table.column`; the column `*` stands for rows that are counted. `is_constant` when the SQL
    writes the value itself.
    """

    column: str
    made_from: tuple[str, ...]
    sources: tuple[str, ...]
    is_constant: bool


@dataclass(frozen=True)
class Warehouse:
    """What dbt compiled last and which columns there are.

    `sql` maps `schema.table` to a model's compiled SQL, `ratings` a column of features.team_rating to what it rests on.
    """

    columns: Mapping[str, tuple[str, ...]]
    sql: Mapping[str, str]
    ratings: Mapping[str, tuple[str, ...]]
    cache: Path

    def made_from(self, relation: str) -> Mapping[str, tuple[str, ...]]:
        """For each column of a model the columns its SQL takes it from; empty for what is no model.

        Raises SqlNotUnderstood when the parser gives up.

        Kept in a file below the installation's home while the SQL and the columns of the warehouse are the same.
        """
        if relation not in self._followed:
            self._followed[relation] = self._made_from(relation)
        return self._followed[relation]

    def _made_from(self, relation: str) -> Mapping[str, tuple[str, ...]]:
        if relation not in self.sql:
            made = self.ratings if relation == TEAM_RATING else {"": ()}
            return {column: made.get(column, made[""]) for column in self.columns.get(relation, ())}
        # The instant of the build is in the SQL, and the name of the database; neither changes a column.
        sql = re.sub("'[^']*'::timestamptz", "'1'::timestamptz", self.sql[relation])
        sql = re.sub(r'"\w+"\.("\w+"\."\w+")', r"\1", sql)
        key = hashlib.sha256(f"{self._columns_digest}{sql}".encode()).hexdigest()
        found = self._kept.get(relation, {}).get(key)
        if found is None:
            found = self._understood(relation, sql)
            kept = _read(self.cache)
            others = list(kept.get(relation, {}).items())[: KEPT - 1]
            _write(self.cache, {**kept, relation: {key: found, **dict(others)}})
        return {column: tuple(names) for column, names in found.items()}

    def origin(self, column: str) -> ColumnOrigin:
        """One column (`schema.table.column`) all the way back."""
        made_from = self._step_back(column)
        sources: set[str] = set()
        seen, ahead = {column}, list(made_from)
        while ahead:
            name = ahead.pop()
            if name in seen:
                continue
            seen.add(name)
            further = self._step_back(name)
            if further:
                ahead += further
            elif not self._is_constant(name):
                sources.add(name)
        return ColumnOrigin(column, made_from, tuple(sorted(sources)), self._is_constant(column))

    @cached_property
    def _followed(self) -> dict[str, Mapping[str, tuple[str, ...]]]:
        return {}

    @cached_property
    def _kept(self) -> dict[str, Any]:
        return _read(self.cache)

    @cached_property
    def _schema(self) -> Any:
        from sqlglot.schema import MappingSchema

        tables: dict[str, Any] = {}
        for name, columns in self.columns.items():
            table_schema, _, table = name.partition(".")
            tables.setdefault(table_schema, {})[table] = dict.fromkeys(columns, "text")
        return MappingSchema(tables, dialect="postgres")

    @cached_property
    def _columns_digest(self) -> str:
        return hashlib.sha256(json.dumps(self.columns, sort_keys=True).encode()).hexdigest()

    def _step_back(self, column: str) -> tuple[str, ...]:
        relation, _, name = column.rpartition(".")
        if name == ROWS:
            # Rows of a model are as many as those it is made of.
            columns = self.made_from(relation).values()
            relations = {made.rpartition(".")[0] for names in columns for made in names} - {relation}
            return tuple(sorted(f"{each}.{ROWS}" for each in relations))
        return self.made_from(relation).get(name, ())

    def _is_constant(self, column: str) -> bool:
        relation, _, name = column.rpartition(".")
        return relation in self.sql and name != ROWS and not self.made_from(relation).get(name, ())

    def _understood(self, relation: str, sql: str) -> Mapping[str, Sequence[str]]:
        from sqlglot.errors import SqlglotError

        try:
            return self._parsed(relation, sql)
        except SqlglotError as error:
            raise SqlNotUnderstood(
                f"the SQL of {relation} could not be followed: {error}; write it more plainly, or try a newer sqlglot"
            ) from error

    def _parsed(self, relation: str, sql: str) -> Mapping[str, Sequence[str]]:
        import sqlglot
        from sqlglot import exp
        from sqlglot.errors import SqlglotError
        from sqlglot.lineage import lineage
        from sqlglot.optimizer.qualify import qualify
        from sqlglot.optimizer.scope import build_scope

        schema = self._schema
        parsed = sqlglot.parse_one(sql, read="postgres").transform(_without_lateral_values)
        query = qualify(
            parsed, schema=schema, dialect="postgres", validate_qualify_columns=False, identify=False
        )
        scope = build_scope(query)
        nodes = lineage(None, query, schema=schema, dialect="postgres", scope=scope, trim_selects=False)
        counted = {f"{table}.{ROWS}" for table in _tables(query)}
        found = {}
        for column in self.columns.get(relation, ()):
            names: set[str] = set()
            is_summed = False
            if column not in nodes:
                raise SqlglotError(f"it selects no column {column}")
            for step in _steps(nodes[column]):
                if isinstance(step.source, exp.Table) and not step.downstream:
                    names.add(f"{step.source.db}.{step.source.name}.{step.name.rpartition('.')[2]}")
                elif step.expression.find(exp.Count) and step.expression.find(exp.Star):
                    names.update(counted)
                # Ones that are summed count rows, too.
                is_summed |= step.expression.find(exp.Sum) is not None
            names |= counted if is_summed and not names else set()
            found[column] = sorted(names - {f"{relation}.{column}"})
        return found


def read_warehouse(settings: Settings, connection: Connection) -> Warehouse:
    """The columns of the database and the SQL that dbt compiled for it.

    Raises WarehouseNotBuilt when dbt has compiled nothing yet.
    """
    target = settings.home / "dbt" / settings.warehouse_database / "target"
    manifest = target / "manifest.json"
    if not manifest.exists():
        raise WarehouseNotBuilt(f"dbt has compiled nothing into {target} yet: run `touchline build`")
    project = _project(manifest, manifest.stat().st_mtime_ns)
    return Warehouse(
        read_columns(connection),
        {name: path.read_text() for name, path in project.compiled.items() if path.is_file()},
        {**_RATINGS, **project.said_by_features},
        cache_of(settings),
    )


def read_columns(connection: Connection) -> Mapping[str, tuple[str, ...]]:
    """The columns of every `schema.table` of the warehouse, in their order."""
    columns: dict[str, list[str]] = {}
    for row in rows(connection, COLUMNS, (list(SCHEMAS),)):
        columns.setdefault(row["relation"], []).append(row["column"])
    return {relation: tuple(names) for relation, names in columns.items()}


def cache_of(settings: Settings) -> Path:
    """The file that keeps where columns come from, while the SQL and the columns are the same."""
    return settings.home / "lineage" / "made_from.json"


def origins(warehouse: Warehouse, wanted: str) -> list[ColumnOrigin]:
    """Where every column of `schema.table`, or the one of `schema.table.column`, comes from.

    Raises ColumnUnknown, with what there is, for a name that the warehouse does not have.
    """
    relation, column = ".".join(wanted.split(".")[:2]), ".".join(wanted.split(".")[2:])
    if relation not in warehouse.columns:
        views = sorted(name for name in warehouse.columns if name.startswith("analytics."))
        raise ColumnUnknown(f"the warehouse has no {relation!r}; views of analysts are {', '.join(views)}")
    if column and column not in warehouse.columns[relation]:
        raise ColumnUnknown(f"{relation} has no column {column!r}: {', '.join(warehouse.columns[relation])}")
    names = [column] if column else warehouse.columns[relation]
    return [warehouse.origin(f"{relation}.{name}") for name in names]


@dataclass(frozen=True)
class _Project:
    """What column lineage needs of dbt's manifest: files of compiled SQL by relation, and what ratings rest on."""

    compiled: Mapping[str, Path]
    said_by_features: Mapping[str, tuple[str, ...]]


# The manifest has some 10 MB, and every build asks once a layer; it is written when the project has changed.
@lru_cache(maxsize=4)
def _project(manifest: Path, written_at_ns: int) -> _Project:
    nodes = list(json.loads(manifest.read_text())["nodes"].values())
    return _Project(dict(_compiled(manifest.parent, nodes)), dict(_said_by_features(nodes)))


def _said_by_features(nodes: Sequence[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Ratings whose feature says what they rest on (`rests_on` in the catalogue of features)."""
    for node in nodes:
        for column in node["columns"].values() if node["name"] == "match_features" else ():
            relation, _, rating = column["meta"].get("taken_from", "").partition(".")
            if relation.endswith("_rating") and "rests_on" in column["meta"]:
                made = [
                    _PRICES if name == "prices" else _of_result(name) for name in column["meta"]["rests_on"]
                ]
                yield rating, (*_SIDES, _KICKOFF, *(name for names in made for name in names))


def _compiled(target: Path, nodes: Sequence[dict[str, Any]]) -> Iterator[tuple[str, Path]]:
    for node in nodes:
        if node["resource_type"] in ("model", "snapshot"):
            path = target / "compiled" / node["package_name"] / node["original_file_path"]
            yield f"{node['schema']}.{node.get('alias') or node['name']}", path


def _without_lateral_values(node: Any) -> Any:
    """A select whose `lateral (values (a, b), (c, d)) as t (x, y)` is gone: `t.x` reads `coalesce(a, c)` instead.

    The parser takes such a column for one of all the values there; this tells x from y.
    """
    from sqlglot import exp

    laterals = [
        join
        for join in node.args.get("joins") or []
        if isinstance(node, exp.Select) and isinstance(join.this, exp.Lateral) and join.this.find(exp.Values)
    ]
    for join in laterals:
        values, alias = join.this.find(exp.Values), join.this.args["alias"]
        taken = {
            name.name: exp.func("coalesce", *(row.expressions[place].copy() for row in values.expressions))
            for place, name in enumerate(alias.columns)
        }
        join.pop()
        for column in list(node.find_all(exp.Column)):
            if column.table == alias.name and column.name in taken:
                replaced = taken[column.name].copy()
                is_output = column.parent is node and column.arg_key == "expressions"
                column.replace(exp.alias_(replaced, column.name) if is_output else replaced)
    return node


def _steps(node: Any) -> Iterator[Any]:
    """A node of sqlglot's lineage and those beneath it, each once: columns share what they are made of."""
    seen, ahead = {id(node)}, [node]
    while ahead:
        step = ahead.pop()
        yield step
        below = {id(each): each for each in step.downstream if id(each) not in seen}
        seen.update(below)
        ahead.extend(below.values())


def _tables(query: Any) -> set[str]:
    from sqlglot import exp

    return {f"{table.db}.{table.name}" for table in query.find_all(exp.Table) if table.db}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _write(path: Path, values: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(values))
    draft.replace(path)
