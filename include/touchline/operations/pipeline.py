"""How a step is run: it finds its clock, works once for its inputs, and is recorded.

A step is settled for its inputs (what has landed, as of when, with which code) once it has succeeded with them; then
it does nothing. The assets that are new are read from the records too, so that a consumer that died is started again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from touchline.clock import RunClock, live_clock
from touchline.database.engine import Connection, connect
from touchline.database.kept import kept_connections
from touchline.operations import records
from touchline.operations.edge import run_clock
from touchline.operations.records import Inputs
from touchline.settings import Settings

if TYPE_CHECKING:
    from touchline.registry.tracking import Registry

log = logging.getLogger(__name__)

NOTHING_NEW = "Nothing new since the last time."
Need = Literal["source", "mlflow"]
# Assets that are new, each with why: its consumers get one event for each reason.
News = Mapping[str, Sequence[Mapping[str, Any]]]

# Lists that have tables of their own; the record counts them.
COUNTED = ("files", "findings")


@dataclass(frozen=True)
class Run:
    """One run of a step, as its work sees it; `is_full` asks for everything anew."""

    settings: Settings
    run_id: str
    clock: RunClock
    is_full: bool = False

    @property
    def as_of(self) -> datetime:
        """The instant (UTC) that the run knows everything up to."""
        return self.clock.as_of

    @cached_property
    def registry(self) -> Registry:
        """The model registry, opened once a run. Raises ServiceFailed when MLflow does not answer."""
        from touchline.registry.tracking import open_registry

        return open_registry(self.settings)


@dataclass(frozen=True)
class Step:
    """One step.

    `work` does the step and returns a report with a `summary`. `needs` names the services that must be running, beside
    the database. The clock is the `as_of` of the build; with `is_present` and the wall clock it is the present, because
    a prediction is made now or not at all. `idle` returns the reason when there is nothing to do.

    `inputs` returns what the work depends on; it is recorded. A step that has succeeded with the same inputs is
    settled as long as its result still `stands`: `confirm` is then called instead of the work. With `always`, or
    without inputs, a step is never settled. A step that `follows` another takes over its inputs.

    `publishes` names the assets that can be new after the step; `news` returns those that are (it gets the report, or
    None when the step is settled).

    In a backfill a step runs `as then`, with what was known at the end of the past day (`past.run_step_of_past`); or
    `as now`, like any other run; or never, for the reason in `not_in_backfill`.
    """

    name: str
    does: str
    work: Callable[[Run], Any]
    needs: tuple[Need, ...] = ("source",)
    is_present: bool = False
    idle: Callable[[Run], str | None] = lambda _: None
    follows: str | None = None
    inputs: Callable[[Run, Connection], Inputs] | None = None
    always: bool = False
    stands: Callable[[Run], bool] = lambda _: True
    confirm: Callable[[Run], None] = lambda _: None
    publishes: tuple[str, ...] = ()
    news: Callable[[Run, Any], News] = lambda _run, _report: {}
    is_recorded: bool = True
    in_backfill: Literal["as then", "as now", "never"] = "as then"
    not_in_backfill: str = ""


@dataclass(frozen=True)
class StepOutcome:
    """What a step did: the `as_of` for the steps after it, and the assets that are new, with reasons.

    `is_repeat` is True when there was nothing to do; then there is no `report`.
    """

    step: str
    as_of: str
    summary: str
    is_repeat: bool = False
    news: News = field(default_factory=dict)
    report: Any = None

    @property
    def new_assets(self) -> tuple[str, ...]:
        """Names of the assets that are new."""
        return tuple(self.news)


def run_step(
    settings: Settings, step: Step, run_id: str, as_of: datetime | None = None, *, is_full: bool = False,
    is_forced: bool = False,
) -> StepOutcome:  # fmt: skip
    """Run a step and record it in ops.pipeline_run.

    The clock is `as_of` (UTC) if given, else the present of these settings; a step that follows another takes over
    the `as_of` of that one. `is_forced` does the work of a settled step again, `is_full` does it from nothing. Raises
    what the work raises, after recording it.
    """
    with kept_connections():
        return _run(settings, step, run_id, as_of, is_full=is_full, is_forced=is_forced)


def _run(
    settings: Settings, step: Step, run_id: str, as_of: datetime | None, *, is_full: bool, is_forced: bool
) -> StepOutcome:
    clock = run_clock(settings, as_of)
    if step.is_present and clock.mode == "live":
        clock = live_clock()
    taken_over = None if step.follows is None else _last_inputs(settings, step.follows)
    if taken_over is not None:
        clock = dataclasses.replace(clock, as_of=datetime.fromisoformat(taken_over["as_of"]))
    run = Run(settings, run_id, clock, is_full)

    def inputs() -> Inputs | None:
        if step.inputs is None:
            return taken_over
        with connect(settings, "ingest") as connection:
            return step.inputs(run, connection)

    outcome = StepOutcome(step.name, clock.as_of.isoformat(), NOTHING_NEW, is_repeat=True)
    reason = step.idle(run)
    if reason is not None:
        return _told(dataclasses.replace(outcome, summary=reason))
    if not (step.always or is_forced or is_full) and _is_settled(run, step, inputs()):
        step.confirm(run)
        return _told(dataclasses.replace(outcome, news=step.news(run, None)))
    unrecorded: AbstractContextManager[dict[str, Any]] = nullcontext({})
    recorded = records.recorded(settings, step.name, run_id, clock.as_of) if step.is_recorded else unrecorded
    with recorded as detail:
        # Read before the work: what arrives during the work is for the next run.
        found = inputs()
        report = step.work(run)
        detail.update(_plain(report) | ({} if found is None else {"inputs": found}))
    news = step.news(run, report)
    return _told(
        dataclasses.replace(outcome, summary=report.summary, is_repeat=False, news=news, report=report)
    )


def _is_settled(run: Run, step: Step, inputs: Inputs | None) -> bool:
    return inputs is not None and _last_inputs(run.settings, step.name) == inputs and step.stands(run)


def _last_inputs(settings: Settings, step: str) -> Inputs | None:
    with connect(settings, "ingest") as connection:
        return records.last_inputs(connection, step)


def _plain(report: Any) -> dict[str, Any]:
    """A report's own numbers."""
    values = dataclasses.asdict(report)
    return {
        f"n_{name}" if name in COUNTED else name: len(value) if name in COUNTED else value
        for name, value in values.items()
    }


def _told(outcome: StepOutcome) -> StepOutcome:
    log.info("%s", outcome.summary)
    return outcome
