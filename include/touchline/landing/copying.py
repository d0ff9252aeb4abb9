"""Send frames to PostgreSQL: COPY into a table, and long lists of keys as one parameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Final

import polars as pl
from psycopg import sql

from touchline.database.engine import Connection

# Bounds the text in memory, yet keeps the server busy reading while the next piece is written.
PIECE: Final = 50_000


def copy_frame(connection: Connection, table: sql.Identifier, frame: pl.DataFrame) -> None:
    """Append all rows of a frame to a table. Columns are named as in the table; times are UTC."""
    if frame.is_empty():
        return
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(
        table, sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for lines in _lines_ahead(frame):
            copy.write(lines.getbuffer())


def uuid_array(keys: Iterable[str]) -> str:
    """Keys as one parameter for `%s::uuid[]`; a list of Python objects takes ten times as long to bind."""
    return "{" + ",".join(keys) + "}"


def _lines_ahead(frame: pl.DataFrame) -> Iterator[BytesIO]:
    """The frame as CSV in pieces; the next one is written while the caller sends this one."""
    pieces = frame.iter_slices(PIECE)
    if frame.height <= PIECE:
        yield from map(_lines, pieces)
        return
    with ThreadPoolExecutor(max_workers=1) as executor:
        ahead = executor.submit(_lines, next(pieces))
        for piece in pieces:
            ready, ahead = ahead, executor.submit(_lines, piece)
            yield ready.result()
        yield ahead.result()


def _lines(frame: pl.DataFrame) -> BytesIO:
    lines = BytesIO()
    frame.write_csv(lines, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
    return lines
