"""Copies of databases: a warehouse is built once and copied for each test that changes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from touchline.database.engine import open_url
from touchline.settings import Settings


@contextmanager
def copy_of(original: Settings, name: str) -> Iterator[Settings]:
    """Settings of a database of that name, copied from the one of `original` and dropped in the end."""
    with open_url(original.admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} owner touchline_owner template {}").format(
                sql.Identifier(name), sql.Identifier(original.warehouse_database)
            )
        )
    yield original.model_copy(update={"database_name": name})
    with open_url(original.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
