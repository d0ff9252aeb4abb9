"""A list in the format that was asked for: JSON, CSV or Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import polars as pl
from fastapi import HTTPException
from pydantic import BaseModel

JSON: Final = "application/json"
CSV: Final = "text/csv"
PARQUET: Final = "application/vnd.apache.parquet"
FORMATS: Final[Mapping[str, str]] = {"json": JSON, "csv": CSV, "parquet": PARQUET}

TIME: Final = pl.Datetime("us", "UTC")
TYPES: Final[Mapping[Any, pl.DataType]] = {
    bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String(), datetime: TIME, date: pl.String(),
}  # fmt: skip


def chosen(accept: str | None) -> str:
    """The format of a header `Accept`, JSON where it does not matter; raises HTTPException (406) when it is none."""
    wanted: list[tuple[float, str]] = []
    for part in (accept or "*/*").split(","):
        name, *parameters = (each.strip().lower() for each in part.split(";"))
        weights = [each[2:] for each in parameters if each.startswith("q=")]
        try:
            weight = float(weights[0]) if weights else 1.0
        except ValueError:
            weight = 0.0
        wanted.append((-weight, name))
    for negative, name in sorted(wanted, key=lambda each: each[0]):
        for served in FORMATS.values() if negative else ():
            if name in (served, f"{served.split('/')[0]}/*", "*/*"):
                return served
    raise HTTPException(406, f"served are {', '.join(FORMATS.values())}; or write format={'|'.join(FORMATS)}")


def as_csv(items: Sequence[bytes], schema: type[BaseModel], fields: Sequence[str]) -> bytes:
    """Items as CSV with a header; parts of a nested field are columns of their own, `probabilities_home`."""
    return _frame(items, schema, fields).write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.fZ").encode()


def as_parquet(items: Sequence[bytes], schema: type[BaseModel], fields: Sequence[str]) -> bytes:
    """Items as a Parquet file, with the columns of `as_csv`; times are UTC."""
    file = io.BytesIO()
    _frame(items, schema, fields).write_parquet(file)
    return file.getvalue()


def _frame(items: Sequence[bytes], schema: type[BaseModel], fields: Sequence[str]) -> pl.DataFrame:
    """A frame whose columns and types follow from the schema alone, whatever the items are."""
    columns = {
        "_".join(path): (path, kind)
        for name in fields or schema.model_fields
        for path, kind in _columns((name,), schema.model_fields[name].annotation)
    }
    rows = [json.loads(item) for item in items]
    frame = pl.DataFrame(
        {name: [_at(row, path) for row in rows] for name, (path, _) in columns.items()},
        schema={name: pl.String() if kind == TIME else kind for name, (_, kind) in columns.items()},
    )
    times = [name for name, (_, kind) in columns.items() if kind == TIME]
    return frame.with_columns(pl.col(times).str.to_datetime(time_unit="us", time_zone="UTC"))


def _columns(path: tuple[str, ...], annotation: Any) -> Iterator[tuple[tuple[str, ...], pl.DataType]]:
    """The columns of a field, each with where its value stands in an item."""
    kinds = [each for each in _plain(annotation) if each is not type(None)]
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], BaseModel):
        for name, field in kinds[0].model_fields.items():
            yield from _columns((*path, name), field.annotation)
        return
    known = [TYPES[kind] for kind in kinds if kind in TYPES]
    # Names, ids, and what is itself a list: as text.
    yield path, known[0] if len(known) == len(kinds) == 1 else pl.String()


def _plain(annotation: Any) -> list[Any]:
    """The types that an annotation allows."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) for kind in _plain(part)]
    return [annotation]


def _at(row: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = None if value is None else value[name]
    return json.dumps(value) if isinstance(value, list | dict) else value
