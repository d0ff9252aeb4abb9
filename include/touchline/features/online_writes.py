"""Feast's writes to the online store in few statements: left to itself it sends one for every value of a feature."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from touchline.features.untyped_feast import PostgreSQLOnlineStore

# What Feast 0.67 sends; another statement is sent as it is.
UPSERT: Final = re.compile(
    r"INSERT INTO (?P<table>\S+) \((?P<columns>[^)]+)\) VALUES \([^)]+\) (?P<conflict>ON CONFLICT .+)",
    re.DOTALL,
)


class CopyingCursor(psycopg.Cursor[Any]):
    """Copies the rows of an upsert into a temporary table, and upserts from there."""

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        """As psycopg's own, with the same rows in the end."""
        text = query.as_string(self) if isinstance(query, sql.Composable) else str(query)
        upsert = UPSERT.fullmatch(text)
        if upsert is None or returning:
            super().executemany(query, params_seq, returning=returning)
            return
        # Names and clause as Feast has quoted them.
        parts = {name: sql.SQL(part) for name, part in upsert.groupdict().items()}
        made = "create temporary table written on commit drop as select {columns} from {table} limit 0"
        self.execute(sql.SQL(made).format(**parts))
        with self.copy(sql.SQL("copy written ({columns}) from stdin").format(**parts)) as copy:
            for row in params_seq:
                copy.write_row(row)
        written = "insert into {table} ({columns}) select {columns} from written {conflict}"
        self.execute(sql.SQL(written).format(**parts))


class CopyingStore(PostgreSQLOnlineStore):
    """Feast's own online store, with such a cursor."""

    @contextmanager
    def _get_conn(self, *arguments: Any, **named: Any) -> Iterator[Any]:
        with super()._get_conn(*arguments, **named) as connection:
            connection.cursor_factory = CopyingCursor
            yield connection
