"""Collect the facts of past days, in order and as fast as the providers allow; an interrupted backfill continues."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from touchline.clock import RunClock
from touchline.database.engine import connect, rows
from touchline.landing.asking import Window
from touchline.landing.collect import CollectReport, Progress
from touchline.operations.pipeline import run_step
from touchline.operations.steps import collecting
from touchline.run_id import new_run_id
from touchline.settings import Settings
from touchline.sources.source import Kind


def backfill(
    settings: Settings,
    clock: RunClock,
    kinds: Sequence[Kind],
    window: Window,
    only: Sequence[str] = (),
    on_progress: Progress | None = None,
) -> CollectReport:
    """Collect the matches of `window` (two UK days, both included) from the sources in use, or those in `only`.

    A backfill of the same days, kinds and sources that was killed, or could not fetch everything, is continued: what
    it has stored is not requested twice. After a complete one, everything is requested again. Raises what `collect`
    raises.
    """
    name = f"backfill {window[0]}..{window[1]} {'+'.join(kinds)} {'+'.join(only) or 'all'}"
    run_id = _unfinished(settings, name) or new_run_id("backfill")
    step = dataclasses.replace(collecting(kinds, only, window, on_progress), name=name)
    report: CollectReport = run_step(settings, step, run_id, clock.as_of).report
    return report


def _unfinished(settings: Settings, step: str) -> str | None:
    """The run to continue, or None when the last one fetched everything."""
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select run_id, status, coalesce(jsonb_array_length(detail -> 'problems'), 0) as n_problems "
            "from ops.pipeline_run where step = %s order by started_at desc limit 1",
            (step,),
        )
    if not found or (found[0]["status"] == "success" and not found[0]["n_problems"]):
        return None
    return str(found[0]["run_id"])
