"""Call dbt in this process: its connection, its state on disk, and the project, which is parsed once for all calls."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from touchline.errors import WarehouseBuildFailed
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.warehouse.changes import DBT_PROJECT
from touchline.warehouse.lean_dbt import keep_behaviour_flags_few, make_lean

# What a power cut takes of a build that nobody has recorded is built again (build.build_layer).
NO_WAIT: Final = {"PGOPTIONS": "-c synchronous_commit=off"}
PASSWORD: Final = "DBT_ENV_SECRET_PASSWORD"  # noqa: S105 dbt masks variables of this prefix in its logs.
# Parsed projects held at a time, one per database; each takes some 30 MB.
MOST_PARSED: Final = 4


@dataclass(frozen=True)
class DbtRun:
    """What a dbt command did: one result per node, when it ended (UTC), and dbt's manifest of the project."""

    results: list[Any]
    ended_at: datetime
    manifest: Any


def run_dbt(settings: Settings, *arguments: str, environment: Mapping[str, str] | None = None) -> DbtRun:
    """Run one dbt command in process, with `environment` for its macros.

    The project is parsed when it, or the connection, differs from earlier calls. Of dbt's artefacts only
    `manifest.json` is written, once per parse, because other processes read descriptions from it. Raises
    WarehouseBuildFailed when dbt could not even begin (a broken project, no connection).
    """
    manifest = parsed_project(settings)
    _keep(manifest, target_folder(settings))
    with _environment({**_connection(settings), **_installation(settings), **NO_WAIT, **(environment or {})}):
        result = _invoke(_state(settings), (*arguments, "--no-write-json"), manifest)
    return DbtRun(list(result.results), result.generated_at.replace(tzinfo=UTC), manifest)


def parsed_project(settings: Settings) -> Any:
    """dbt's manifest of the project for a database, reused from the last call while neither has changed.

    Raises WarehouseBuildFailed when the project cannot be parsed.
    """
    connection = _connection(settings)
    known = tuple((name, value) for name, value in connection.items() if name != PASSWORD)
    with _environment(connection):
        return _parsed(_state(settings), known, _project_files())


def manifest_file(settings: Settings) -> Path:
    """dbt's manifest of the project; written here where another machine has built."""
    kept = target_folder(settings) / "manifest.json"
    if not kept.exists():
        _keep(parsed_project(settings), kept.parent)
    return kept


def dbt_result(settings: Settings, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """Run one dbt command that parses the project anew and writes its artefacts; returns a manifest or a catalogue.

    Raises WarehouseBuildFailed when dbt could not even begin (a broken project, no connection).
    """
    with _environment({**_connection(settings), **_installation(settings), **(environment or {})}):
        return _invoke(_state(settings), arguments)


def target_folder(settings: Settings) -> Path:
    """Where dbt writes compiled SQL and its artefacts."""
    return _state(settings) / "target"


def log_file(settings: Settings) -> Path:
    """Where dbt writes its log."""
    return _state(settings) / "logs" / "dbt.log"


def _state(settings: Settings) -> Path:
    return settings.home / "dbt" / settings.warehouse_database


# dbt writes the database into every node, so each database has its own manifest. Macros read the environment only when
# a node is run, never while parsing, so a manifest is valid for every `as_of`.
@lru_cache(maxsize=MOST_PARSED)
def _parsed(state: Path, connection: tuple[tuple[str, str], ...], files: tuple[Any, ...]) -> Any:
    """dbt's manifest of the project's present files, for the connection that the environment names."""
    _forget_other_project(state / "target", hashlib.sha256(repr(files).encode()).hexdigest())
    return _invoke(state, ("parse", "--no-write-json"))


def _forget_other_project(target: Path, digest: str) -> None:
    """Remove what dbt kept of a parse of other files.

    From there dbt parses only what changed, and trips over what is gone: after a release is rolled back it says that
    an exposure depends on a node that was not found (seen with dbt-core 1.x and a project older by many changes).
    """
    kept = target / "project.sha256"
    if not kept.exists() or kept.read_text() != digest:
        (target / "partial_parse.msgpack").unlink(missing_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        kept.write_text(digest)


def _project_files() -> tuple[Any, ...]:
    paths = sorted(
        path for path in DBT_PROJECT.rglob("*.*") if path.suffix in (".sql", ".yml", ".csv", ".md")
    )
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)


def _keep(manifest: Any, target: Path) -> None:
    """Write `manifest.json` unless it is there and no older than what dbt parsed last."""
    kept, parsed = target / "manifest.json", target / "partial_parse.msgpack"
    if not kept.exists() or (parsed.exists() and parsed.stat().st_mtime_ns > kept.stat().st_mtime_ns):
        manifest.write(str(kept))


def _invoke(state: Path, arguments: tuple[str, ...], manifest: Any = None) -> Any:
    from dbt.adapters.factory import cleanup_connections
    from dbt.cli.main import dbtRunner

    keep_behaviour_flags_few()
    make_lean()
    state.mkdir(parents=True, exist_ok=True)
    try:
        outcome = dbtRunner(manifest).invoke(
            [
                "--log-level", "none", "--no-use-colors", "--no-send-anonymous-usage-stats", "--no-version-check",
                "--log-path", str(state / "logs"), "--log-level-file", "info",
                # Of other schemas nothing is made or dropped.
                "--cache-selected-only",
                *arguments,
                "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
                "--target-path", str(state / "target"),
            ]
        )  # fmt: skip
    finally:
        cleanup_connections()  # type: ignore[no-untyped-call]
    # A command that began and found failures still has a result.
    if outcome.result is None:
        raise WarehouseBuildFailed(
            f"dbt {arguments[0]} could not begin: {outcome.exception}; the log is in {state / 'logs'}"
        )
    return outcome.result


def _connection(settings: Settings) -> Mapping[str, str]:
    parts = urlsplit(settings.url("transform"))
    return {
        "TOUCHLINE_DBT_HOST": parts.hostname or "",
        "TOUCHLINE_DBT_PORT": str(parts.port or 5432),
        "TOUCHLINE_DBT_USER": unquote(parts.username or ""),
        PASSWORD: unquote(parts.password or ""),
        "TOUCHLINE_DBT_DATABASE": parts.path.lstrip("/"),
    }


def _installation(settings: Settings) -> Mapping[str, str]:
    """What macros read of the installation: how far ahead it predicts, and whose word counts."""
    return {
        "TOUCHLINE_DBT_HORIZON_DAYS": str(settings.horizon_days),
        "TOUCHLINE_DBT_SOURCE_PRIORITIES": json.dumps(read_configuration(settings.sources_file).priorities),
    }


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
