"""Build one layer of the warehouse with dbt, in this process, as the role that owns the layer."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from touchline.errors import WarehouseBuildFailed
from touchline.openlineage import dbt_events
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.warehouse.changes import (
    DBT_PROJECT,
    Plan,
    building,
    definition_of,
    note_built,
    plan,
    stands_as_of,
)

log = logging.getLogger(__name__)

Layer = Literal["core", "features", "analytics"]
LAYERS: tuple[Layer, ...] = ("core", "features", "analytics")
SELECTIONS: dict[Layer, list[str]] = {
    "core": ["competition", "path:models/staging", "path:models/core", "path:snapshots"],
    "features": ["path:models/features"],
    "analytics": ["path:models/analytics"],
}


@dataclass(frozen=True)
class BuildReport:
    """What a build did; `n_models` counts seeds and models, `seconds` is wall time.

    `is_full` is False when only the changes since the last build were worked in: `n_changed` matches.
    """

    layer: str
    as_of: str
    is_full: bool
    n_changed: int
    n_models: int
    n_tests: int
    n_warnings: int
    seconds: float

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        how = "in full" if self.is_full else f"from {self.n_changed} changed matches"
        return (
            f"{self.layer} as of {self.as_of}: {self.n_models} models built {how}, {self.n_tests} tests passed "
            f"({self.n_warnings} warnings) in {self.seconds:.1f} s."
        )


def build_layer(
    settings: Settings, layer: Layer, as_of: datetime, run_id: str, *, is_full: bool = False
) -> BuildReport:
    """Build and test a layer as of an instant (UTC): what has changed since its last build, or all (`is_full`).

    Features stand as of when core does, whatever `as_of` says. Raises WarehouseBuildFailed with every failing model
    or test, its message and where its SQL is.
    """
    with building(settings):
        started = time.monotonic()
        priorities: dict[str, list[str]] = {
            kind: list(names) for kind, names in read_configuration(settings.sources_file).priorities.items()
        }
        planned = plan(settings, layer, as_of, definition_of(layer, priorities), is_full=is_full)
        report = _build(settings, layer, run_id, priorities, planned, started)
        note_built(settings, planned, run_id)
        if layer == "core" and planned.is_full:
            _renew_views(settings, as_of, priorities)
    return report


def _renew_views(settings: Settings, as_of: datetime, priorities: Mapping[str, list[str]]) -> None:
    """The views of analysts, which tables that were made anew took along; where they had been built before."""
    if stands_as_of(settings, "analytics") is not None:
        environment = {"TOUCHLINE_DBT_AS_OF": as_of.isoformat(), **_priorities(priorities)}
        results = run_dbt(settings, "run", "--select", *SELECTIONS["analytics"], environment=environment)
        # They are built and tested again as the last step of a build, which fails with its reasons.
        for result in results:
            if result.status != "success":
                log.warning("%s could not be renewed: %s", result.node.name, result.message)


def _build(
    settings: Settings, layer: Layer, run_id: str, priorities: Mapping[str, list[str]], planned: Plan,
    started: float,
) -> BuildReport:  # fmt: skip
    as_of, target = planned.as_of, settings.home / "dbt" / settings.warehouse_database
    # Views hold no rows: as long as they read the same way, the tests of what they read have tested them.
    is_tested = layer != "analytics" or planned.is_full
    results = run_dbt(
        settings,
        "build" if is_tested else "run",
        "--select",
        *SELECTIONS[layer],
        # Unit tests belong to the test suite; indirect selection keeps tests that look at later layers out.
        *(["--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"] if is_tested else []),
        *(["--full-refresh"] if planned.is_full else []),
        environment=_moment(priorities, planned),
    )
    dbt_events.emit(settings, target / "target", as_of, run_id, f"build_{layer}")
    failed = [result for result in results if result.status in ("error", "fail", "skipped", "runtime error")]
    if failed:
        told = [
            f"  {result.node.name}: {_first_lines(result.message)}" for result in failed if result.message
        ]
        raise WarehouseBuildFailed(
            f"dbt could not build {layer} as of {as_of.isoformat()}; {len(failed)} nodes failed or were skipped:\n"
            + "\n".join(told)
            + f"\ncompiled SQL is in {target / 'target'}, the log in {target / 'logs' / 'dbt.log'}"
        )
    n_tests = sum(result.node.resource_type == "test" for result in results)
    return BuildReport(
        layer=layer,
        as_of=as_of.isoformat(),
        is_full=planned.is_full,
        n_changed=planned.n_matches,
        n_models=len(results) - n_tests,
        n_tests=n_tests,
        n_warnings=sum(result.status == "warn" for result in results),
        seconds=time.monotonic() - started,
    )


def run_dbt(settings: Settings, *arguments: str, environment: Mapping[str, str] | None = None) -> list[Any]:
    """Run one dbt command in process, with `environment` for its macros, and return its node results.

    Raises WarehouseBuildFailed when dbt could not even begin (a broken project, no connection).
    """
    return list(dbt_result(settings, *arguments, environment=environment).results)


def dbt_result(settings: Settings, *arguments: str, environment: Mapping[str, str] | None = None) -> Any:
    """Run one dbt command in process, with `environment` for its macros; returns node results, a manifest, a catalogue.

    Raises WarehouseBuildFailed when dbt could not even begin (a broken project, no connection).
    """
    from dbt.cli.main import dbtRunner

    state = settings.home / "dbt" / settings.warehouse_database
    state.mkdir(parents=True, exist_ok=True)
    horizon = {"TOUCHLINE_DBT_HORIZON_DAYS": str(settings.horizon_days)}
    with _environment({**_connection(settings), **horizon, **(environment or {})}):
        outcome = dbtRunner().invoke(
            [
                "--quiet", "--no-use-colors", "--no-send-anonymous-usage-stats", "--no-version-check",
                "--log-path", str(state / "logs"), "--log-level-file", "info",
                *arguments,
                "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT),
                "--target-path", str(state / "target"),
            ]
        )  # fmt: skip
    # A command that began and found failures has a result all the same.
    if outcome.result is None:
        raise WarehouseBuildFailed(
            f"dbt {arguments[0]} could not begin: {outcome.exception}; the log is in {state / 'logs'}"
        )
    return outcome.result


def _moment(priorities: Mapping[str, list[str]], planned: Plan) -> Mapping[str, str]:
    """What the macros read at run time. Variables of dbt would do, but each new value has the project parsed again."""
    values = {"AS_OF": planned.as_of.isoformat()}
    if not planned.is_full:
        assert planned.built_as_of is not None, "an increment goes on from a build"
        assert planned.known_from is not None, "an increment knows from when on"
        values |= {
            "CHANGES_SINCE": str(planned.since),
            "BUILT_AS_OF": planned.built_as_of.isoformat(),
            "KNOWN_FROM": planned.known_from.isoformat(),
        }
    return _priorities(priorities) | {f"TOUCHLINE_DBT_{name}": value for name, value in values.items()}


def _priorities(priorities: Mapping[str, list[str]]) -> dict[str, str]:
    return {"TOUCHLINE_DBT_SOURCE_PRIORITIES": json.dumps(priorities)}


def _connection(settings: Settings) -> Mapping[str, str]:
    parts = urlsplit(settings.url("transform"))
    return {
        "TOUCHLINE_DBT_HOST": parts.hostname or "",
        "TOUCHLINE_DBT_PORT": str(parts.port or 5432),
        "TOUCHLINE_DBT_USER": unquote(parts.username or ""),
        # dbt masks variables of this prefix in its logs.
        "DBT_ENV_SECRET_PASSWORD": unquote(parts.password or ""),
        "TOUCHLINE_DBT_DATABASE": parts.path.lstrip("/"),
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


def _first_lines(message: str) -> str:
    return " ".join(message.split())[:400]
