"""Databases for tests: copies that cost a fraction of a second, under names that are used again.

dbt parses its project anew for every database it has not seen; for a copy, the manifest of another one is rewritten
(`project_parsed_once`). All else that an installation keeps of a database goes when the database does.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from touchline.database.engine import open_url, scalar
from touchline.ledger.digests import digests_file
from touchline.openlineage.transport import events_file
from touchline.settings import Settings
from touchline.warehouse import invocation

COPY = "touchline_test_"
_numbers_in_use: set[int] = set()


@contextmanager
def copy_of(original: Settings) -> Iterator[Settings]:
    """Settings of a database of its own, copied from the one of `original` and dropped in the end."""
    number = next(number for number in itertools.count(1) if number not in _numbers_in_use)
    _numbers_in_use.add(number)
    settings = original.model_copy(update={"database_name": f"{COPY}{number:03d}"})
    name = sql.Identifier(settings.warehouse_database)
    with open_url(original.admin_url, autocommit=True) as admin:
        # Feast leaves connections behind, and a database that is in use cannot be copied.
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
            (original.warehouse_database,),
        )
        # Of a server that syncs nothing, half the time of a copy through the log.
        admin.execute(
            sql.SQL("create database {} owner touchline_owner template {} strategy file_copy").format(
                name, sql.Identifier(original.warehouse_database)
            )
        )
    _hand_on_descriptions(original, settings)
    yield settings
    with open_url(original.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(name))
    _forget(settings)
    if not _has_experiments(settings):
        _numbers_in_use.remove(number)


def _hand_on_descriptions(original: Settings, copy: Settings) -> None:
    """What dbt says of the models of a built database it says of its copy."""
    described, place = (
        each.home / "dbt" / each.warehouse_database / "target" / "manifest.json" for each in (original, copy)
    )
    if described.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(described, place)


def _forget(settings: Settings) -> None:
    """Remove what the installation kept of a database."""
    database = settings.warehouse_database
    for place in ("feast", "gx", "dbt"):
        shutil.rmtree(settings.home / place / database, ignore_errors=True)
    digests_file(settings).unlink(missing_ok=True)
    events = events_file(settings)
    if events.exists():
        lines = events.read_text().splitlines(keepends=True)
        events.write_text("".join(line for line in lines if database not in line))


def _has_experiments(settings: Settings) -> bool:
    """Whether MLflow has heard of the database: it forgets nothing, so that its versions would not begin at 1."""
    with open_url(settings.url_for("mlflow", settings.secrets["mlflow"], "mlflow")) as connection:
        if scalar(connection, "select to_regclass('experiments')") is None:
            return False
        query = "select exists (select from experiments where starts_with(name, %s))"
        return bool(scalar(connection, query, (settings.model_name,)))


@contextmanager
def project_parsed_once() -> Iterator[None]:
    """dbt's manifest of a copy is that of the first copy, under its own name: parsing takes seconds.

    Names of copies are equally long, so a name is exchanged byte by byte in what dbt keeps of a parse.
    """
    parse, kept = invocation._parsed, {}

    @lru_cache(maxsize=invocation.MOST_PARSED)
    def parsed(state: Path, connection: tuple[tuple[str, str], ...], files: tuple[Any, ...]) -> Any:
        name = state.name
        if not name.startswith(COPY):
            return parse(state, connection, files)
        from dbt.contracts.graph.manifest import Manifest
        from dbt.parser.manifest import extended_mashumaro_encoder, extended_mashumuro_decoder

        project = tuple((key, value) for key, value in connection if value != name), files
        if project not in kept:
            manifest = parse(state, connection, files)
            kept[project] = name.encode(), manifest.to_msgpack(extended_mashumaro_encoder)
        first, packed = kept[project]
        return Manifest.from_msgpack(packed.replace(first, name.encode()), decoder=extended_mashumuro_decoder)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(invocation, "_parsed", parsed)
        yield
