"""Build one layer of the warehouse with dbt, in this process, as the role that owns the layer."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from touchline.database.engine import connect, rows
from touchline.database.queries import query
from touchline.errors import WarehouseBuildFailed
from touchline.openlineage import dbt_events
from touchline.openlineage.columns import read_columns
from touchline.settings import Settings
from touchline.sources.configuration import read_configuration
from touchline.warehouse.changes import Plan, building, definition_of, note_built_in, plan, stands_as_of
from touchline.warehouse.extent import Extent
from touchline.warehouse.invocation import log_file, parsed_project, run_dbt, target_folder

log = logging.getLogger(__name__)

Layer = Literal["core", "features", "analytics"]
LAYERS: tuple[Layer, ...] = ("core", "features", "analytics")
# A layer builds the views of staging that its models read.
SELECTIONS: dict[str, list[str]] = {
    "core": ["path:seeds", "1+path:models/core,path:models/staging", "path:models/core", "path:snapshots"],
    "features": ["path:models/features"],
    "analytics": ["1+path:models/analytics,path:models/staging", "path:models/analytics"],
}

# The macro through which models read what is different in each build.
VALUE_OF_BUILD = "macro.touchline.given"
SNAPSHOTS: dict[str, list[str]] = {"core": ["path:snapshots"], "features": [], "analytics": []}
# Tables that an increment changes.
CHANGING: dict[str, list[str]] = {
    "core": ["path:models/core", *SNAPSHOTS["core"]],
    "features": ["path:models/features"],
    "analytics": [],
}
# `meta.replaces` of the tables that an increment makes anew only where something has landed (macros/replace.sql).
OF_CHANGES = ("changed", "team")


@dataclass(frozen=True)
class BuildReport:
    """What a build did; `n_models` counts seeds and models, `seconds` is wall time.

    `is_full` is False when only the changes since the last build were processed: `n_changed` matches. A build of core
    has worked in `matches`, of which those `played` have a result.
    """

    layer: str
    as_of: str
    is_full: bool
    n_changed: int
    n_models: int
    n_tests: int
    n_warnings: int
    seconds: float
    matches: Extent | None = None
    played: Extent | None = None

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

    Features use the `as_of` of core, whatever `as_of` is given. Raises WarehouseBuildFailed with every failing
    model or test, its message and the place of its SQL.
    """
    with building(settings) as alone:
        started = time.monotonic()
        priorities = read_configuration(settings.sources_file).priorities
        planned = plan(settings, layer, as_of, definition_of(layer, priorities), is_full=is_full)
        report = _build(settings, layer, run_id, planned, started)
        if layer == "core":
            matches, played = (_worked_in(settings, planned, is_played=each) for each in (False, True))
            report = replace(report, matches=matches, played=played)
        # dbt does not wait for the disk. That this session has lasted says that the server still has all of its work,
        # which goes to the disk before this record of it does.
        with alone.transaction():
            note_built_in(alone, planned, run_id)
        if layer == "core" and planned.is_full:
            _renew_views(settings, as_of)
    return report


def compile_here(settings: Settings) -> None:
    """Have dbt compile on this machine what other machines built; nothing to do where it is, or nothing is built."""
    as_of = stands_as_of(settings, LAYERS[-1])
    compiled = target_folder(settings) / "compiled"
    if as_of is None or all(any(compiled.glob(f"*/models/{layer}")) for layer in LAYERS):
        return
    run_dbt(settings, "compile", environment={"TOUCHLINE_DBT_AS_OF": as_of.isoformat()})


def _worked_in(settings: Settings, done: Plan, *, is_played: bool) -> Extent:
    parameters = {"is_full": done.is_full, "built_change_id": done.since, "is_played": is_played}
    with connect(settings, "transform") as connection:
        (row,) = rows(connection, query("warehouse/sql/built_matches"), parameters)
    return Extent.of(**row)


def _renew_views(settings: Settings, as_of: datetime) -> None:
    """Recreate the analysts' views, which dbt drops with the tables they read, if they had been built before."""
    if stands_as_of(settings, "analytics") is not None:
        environment = {"TOUCHLINE_DBT_AS_OF": as_of.isoformat()}
        run = run_dbt(settings, "run", "--select", *SELECTIONS["analytics"], environment=environment)
        # They are built and tested again in the last step of a build, which reports the reasons if it fails.
        for result in run.results:
            if result.status != "success":
                log.warning("%s could not be renewed: %s", result.node.name, result.message)


def _build(settings: Settings, layer: Layer, run_id: str, planned: Plan, started: float) -> BuildReport:
    as_of = planned.as_of
    # Views hold no rows: while their SQL is unchanged, the tests of the tables they read are enough.
    is_tested = layer != "analytics" or planned.is_full
    run = run_dbt(
        settings,
        "build" if is_tested else "run",
        "--select",
        *_selection(settings, planned),
        # Unit tests belong to the test suite; indirect selection excludes tests that read later layers.
        *(["--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"] if is_tested else []),
        *(["--full-refresh"] if planned.is_full else []),
        environment=_moment(planned),
    )
    models = dbt_events.built_models(run.manifest, run.results, run.ended_at)
    dbt_events.emit(settings, models, as_of, run_id, f"build_{layer}")
    failed = [
        result for result in run.results if result.status in ("error", "fail", "skipped", "runtime error")
    ]
    if failed:
        told = [
            f"  {result.node.name}: {_first_lines(result.message)}" for result in failed if result.message
        ]
        raise WarehouseBuildFailed(
            f"dbt could not build {layer} as of {as_of.isoformat()}; {len(failed)} nodes failed or were skipped:\n"
            + "\n".join(told)
            + f"\ncompiled SQL is in {target_folder(settings)}, the log in {log_file(settings)}"
        )
    n_tests = sum(result.node.resource_type == "test" for result in run.results)
    return BuildReport(
        layer=layer,
        as_of=as_of.isoformat(),
        is_full=planned.is_full,
        n_changed=planned.n_matches,
        n_models=len(run.results) - n_tests,
        n_tests=n_tests,
        n_warnings=sum(result.status == "warn" for result in run.results),
        seconds=time.monotonic() - started,
    )


def _selection(settings: Settings, planned: Plan) -> list[str]:
    """What dbt is asked to build.

    An increment leaves out seeds and views that it would only make as they are: their definition is that of the build
    in full, and no macro writes a value of the build into them. When one of them is missing, or has other columns than
    its model promises, all are made again, because dbt drops a view with those that read it. When nothing has landed,
    the tables that follow only what has are left out, too.
    """
    layer = planned.layer
    if planned.is_full:
        return SELECTIONS[layer]
    nodes = list(parsed_project(settings).nodes.values())
    models = [node for node in nodes if node.resource_type == "model"]
    read = {name for node in models if node.schema == layer for name in node.depends_on.nodes}
    views = [
        node
        for node in models
        if node.config.materialized == "view" and (node.schema == layer or node.unique_id in read)
    ]
    seeds = [node for node in nodes if node.resource_type == "seed" and layer == "core"]
    with connect(settings, "transform") as connection:
        there = read_columns(connection)
    if any(f"{node.schema}.{node.alias}" not in there for node in seeds) or any(
        set(there.get(f"{node.schema}.{node.alias}", ())) != set(node.columns) for node in views
    ):
        return SELECTIONS[layer]
    macros = parsed_project(settings).macros
    moving = [node.name for node in views if _reads_build(macros, node.depends_on.macros)]
    tables = [node for node in models if node.schema == layer and node.config.materialized == "incremental"]
    if planned.n_matches or any(f"{node.schema}.{node.alias}" not in there for node in tables):
        return [*moving, *CHANGING[layer]]
    timed = [node.name for node in tables if node.config.meta["replaces"] not in OF_CHANGES]
    return [*moving, *timed, *SNAPSHOTS[layer]]


def _reads_build(known: Mapping[str, Any], macros: Sequence[str]) -> bool:
    """Whether one of these macros, or one that they call, is `given`."""
    seen, ahead = set(macros), list(macros)
    while ahead:
        macro = known.get(ahead.pop())
        called = set() if macro is None else set(macro.depends_on.macros) - seen
        seen |= called
        ahead += called
    return VALUE_OF_BUILD in seen


def _moment(planned: Plan) -> Mapping[str, str]:
    """The values that macros read at run time. As dbt variables, they would make dbt parse the project again."""
    values = {"AS_OF": planned.as_of.isoformat()}
    if not planned.is_full:
        assert planned.built_as_of is not None, "an increment goes on from a build"
        assert planned.known_from is not None, "an increment knows from when on"
        values |= {
            "CHANGES_SINCE": str(planned.since),
            "BUILT_AS_OF": planned.built_as_of.isoformat(),
            "KNOWN_FROM": planned.known_from.isoformat(),
        }
    return {f"TOUCHLINE_DBT_{name}": value for name, value in values.items()}


def _first_lines(message: str) -> str:
    return " ".join(message.split())[:400]
