"""Export an analytics view as a Parquet or CSV file: read by the analysts' role, in batches, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from psycopg import ServerCursor, sql
from psycopg.errors import UndefinedTable
from pyarrow import csv, parquet

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.errors import ExportImpossible
from touchline.settings import Settings

SCHEMA = "analytics"
FORMATS = (".parquet", ".csv")
# Rows held in memory at a time.
BATCH = 20_000
# An export sorts whole views on purpose, so the one-minute limit against careless queries does not apply.
TIMEOUT = "30min"
TYPES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "uuid": pa.string(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Exported:
    """One file: its rows, bytes and SHA-256, and the instant (UTC) up to which the view knew everything."""

    view: str
    path: str
    n_rows: int
    n_bytes: int
    sha256: str
    as_of: datetime


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


def list_views(settings: Settings) -> list[str]:
    """The analytics views that can be exported, by name; none before the first build."""
    with connect(settings, "analyst") as connection:
        return [
            row["table_name"]
            for row in rows(
                connection,
                "select table_name from information_schema.views where table_schema = %s order by table_name",
                (SCHEMA,),
            )
        ]


def export_view(settings: Settings, view: str, path: Path) -> Exported:
    """Write every row of a view to `path` (`.parquet` or `.csv`), ordered by its columns from left to right.

    The file appears when it is complete; an older one stays until then. Equal rows of builds as of the same instant
    give an equal file. In Parquet, times are UTC microseconds, uuids are text, and the comments of view and columns are
    included. In CSV, null is an empty field and an empty text is "". Raises ExportImpossible for an unknown view, file
    format or column type, and when a build drops the view meanwhile.
    """
    if path.suffix not in FORMATS:
        raise ExportImpossible(f"{path}: write to a file ending in {' or '.join(FORMATS)}, or to a folder")
    views = list_views(settings)
    if view not in views:
        known = ", ".join(views) if views else "none yet, `touchline build` makes them"
        raise ExportImpossible(f"there is no view {SCHEMA}.{view}; there are: {known}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    n_rows = 0
    try:
        with (
            _opened(settings, view) as (cursor, schema, as_of),
            _writer(draft, path.suffix, schema) as writer,
        ):
            while fetched := cursor.fetchmany(BATCH):
                writer.write_batch(_batch(fetched, schema))
                n_rows += len(fetched)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Exported(view, str(path), n_rows, path.stat().st_size, digest, as_of)


@contextmanager
def _opened(settings: Settings, view: str) -> Iterator[tuple[ServerCursor[Any], pa.Schema, datetime]]:
    with connect(settings, "analyst") as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(TIMEOUT)))
        try:
            as_of: datetime = scalar(connection, "select as_of from analytics.freshness")
            schema = _schema(connection, view, as_of)
            # A build waits for readers of a view that it renews, and everybody else waits for the build. With hold, the
            # commit stores the rows, so the view is free while the file is written.
            with connection.cursor("export", binary=True, withhold=True) as cursor:
                cursor.execute(_query(view, schema))
                connection.commit()
                yield cursor, schema, as_of
        except UndefinedTable as error:
            raise ExportImpossible(
                f"{SCHEMA}.{view} was dropped while it was read: the warehouse is being built; try again in a minute"
            ) from error


def _schema(connection: Connection, view: str, as_of: datetime) -> pa.Schema:
    columns = rows(
        connection,
        "select attname as name, format_type(atttypid, null) as type, col_description(attrelid, attnum) as comment "
        "from pg_attribute where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass and attnum > 0 "
        "and not attisdropped order by attnum",
        (SCHEMA, view),
    )
    unknown = [f"{column['name']} ({column['type']})" for column in columns if column["type"] not in TYPES]
    if unknown:
        raise ExportImpossible(
            f"{SCHEMA}.{view} has columns whose types cannot be exported exactly: {', '.join(unknown)}; "
            f"cast them in the view to one of {', '.join(TYPES)}"
        )
    described = scalar(
        connection, "select obj_description(format('%%I.%%I', %s::text, %s::text)::regclass)", (SCHEMA, view)
    )
    return pa.schema(
        [
            pa.field(column["name"], TYPES[column["type"]], metadata={"description": column["comment"] or ""})
            for column in columns
        ],
        metadata={"view": f"{SCHEMA}.{view}", "as_of": as_of.isoformat(), "description": described or ""},
    )


def _query(view: str, schema: pa.Schema) -> sql.Composed:
    names = [sql.Identifier(name) for name in schema.names]
    # A uuid is written as text; every other type is read unchanged.
    chosen = [
        sql.SQL("{}::text").format(name) if pa.types.is_string(field.type) else name
        for name, field in zip(names, schema, strict=True)
    ]
    return sql.SQL("select {} from {} order by {}").format(
        sql.SQL(", ").join(chosen),
        sql.Identifier(SCHEMA, view),
        sql.SQL(", ").join(sql.Literal(number + 1) for number in range(len(names))),
    )


def _batch(fetched: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*fetched, strict=True)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


@contextmanager
def _writer(path: Path, form: str, schema: pa.Schema) -> Iterator[_Writer]:
    if form == ".parquet":
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            yield writer
    else:
        with csv.CSVWriter(path, schema) as writer:
            yield writer
