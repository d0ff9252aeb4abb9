"""A step in a run that stands for a past day: an Airflow backfill, whose tables are to be those of having run then.

A build moves the whole warehouse to the end of that day. A step after the build moves it there first, so that each DAG
can be backfilled by itself, in any order of DAGs. What cannot be done afterwards is left out, and the run says why.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from touchline.database.engine import connect
from touchline.errors import DayNotOver, NothingToBackfill, WarehouseMoved
from touchline.operations import names, pipeline
from touchline.operations.edge import run_clock
from touchline.operations.pipeline import Step, StepOutcome
from touchline.settings import Settings


def run_step_of_past(settings: Settings, step: Step, run_id: str, until: datetime) -> StepOutcome:
    """Run a step as of `until` (UTC), the end of the day that its run stands for; it announces nothing.

    A step that works in the present only (`Step.in_backfill`) runs with the present's clock and announces. Raises
    DayNotOver for a day that has not ended, NothingToBackfill when the step cannot be done for a past day,
    WarehouseMoved when another run has moved the warehouse meanwhile, and what the step raises.
    """
    now = run_clock(settings).as_of
    if until > now:
        raise DayNotOver(
            f"this run stands for a day that ends at {until.isoformat()}, and it is {now.isoformat()}: end the "
            "backfill with a day that is over"
        )
    if step.in_backfill == "never":
        raise NothingToBackfill(step.not_in_backfill)
    if step.in_backfill == "as now":
        return pipeline.run_step(settings, step, run_id)
    with _alone(settings):
        _require_no_later_model(settings, step, until)
        for before in _before(step):
            pipeline.run_step(settings, before, run_id, until)
        outcome = pipeline.run_step(settings, step, run_id, until)
    if step.name in names.BUILD and datetime.fromisoformat(outcome.as_of) != until:
        raise WarehouseMoved(
            f"{step.name} was to run as of {until.isoformat()} and ran as of {outcome.as_of}, to where another run "
            "had moved the warehouse: it is tried again; pause the collect DAGs for a long backfill"
        )
    # Who waits for it would work in the present, on a warehouse that stands in the past.
    return dataclasses.replace(outcome, news={})


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One step of a past day at a time: a backfill may run several days at once, and they share one warehouse."""
    with connect(settings, "transform") as connection:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock(hashtext('backfill'))")
        yield


def _before(step: Step) -> list[Step]:
    """The steps of a build that must have been done as of the same instant, in their order; they are mostly settled."""
    from touchline.operations.steps import STEPS

    if step.name not in names.BUILD:
        return [STEPS[name] for name in names.BUILD_STEPS]
    chain: list[Step] = []
    while step.follows is not None:
        step = STEPS[step.follows]
        chain.insert(0, step)
    return chain


def _require_no_later_model(settings: Settings, step: Step, until: datetime) -> None:
    """Refuse to train or tune for a day before the newest model: it would challenge one that knows more."""
    if step.name not in names.LEARNING:
        return
    from touchline.registry.models import trained_versions
    from touchline.registry.tracking import open_registry

    newest = max(trained_versions(open_registry(settings)), key=lambda each: each.as_of, default=None)
    if newest is not None and newest.as_of > until:
        raise NothingToBackfill(
            f"version {newest.version} was trained as of {newest.as_of.isoformat()}: a model that knows only what was "
            f"known at {until.isoformat()} would take part in decisions that were made later, so none is made; "
            "`touchline backtest` shows how one would have done"
        )
