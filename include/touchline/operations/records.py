"""What each step of the pipeline has done, as recorded in ops.pipeline_run; what remains to be done follows from it.

A step is *settled* for some inputs when its last run succeeded with exactly these. Nothing else remembers what is
left to do, so a process may be killed anywhere: the next collection sees what is not settled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.errors import DatabaseUnavailable
from touchline.openlineage.edges import record_step
from touchline.settings import Settings

Inputs = Mapping[str, Any]
ERROR_LENGTH = 2000


@contextmanager
def recorded(settings: Settings, step: str, run_id: str, as_of: datetime) -> Iterator[dict[str, Any]]:
    """Record that a step runs, and how it ended; the body fills the yielded detail (JSON values).

    A repeated try of the same run overwrites its row.
    """
    with connect(settings, "ingest") as connection:
        connection.execute(
            "insert into ops.pipeline_run (run_id, step, as_of) values (%s, %s, %s) "
            "on conflict (run_id, step) do update set as_of = excluded.as_of, started_at = clock_timestamp(), "
            "finished_at = null, status = 'running', detail = '{}'",
            (run_id, step, as_of),
        )
    detail: dict[str, Any] = {}
    try:
        yield detail
    # Also a time-out and a termination by Airflow, which are not Exceptions.
    except BaseException as error:
        try:
            with connect(settings, "ingest") as connection:
                _finish(connection, step, run_id, "failed", {**detail, "error": str(error)[:ERROR_LENGTH]})
        except DatabaseUnavailable as unavailable:
            error.add_note(f"{step} could not be recorded as failed: {unavailable}")
        raise
    with connect(settings, "ingest") as connection:
        record_step(connection, settings, step, run_id, detail)
        _finish(connection, step, run_id, "success", detail)


def last_inputs(connection: Connection, step: str) -> Inputs | None:
    """The inputs for which a step is settled; None when it never ran, or its last run has not succeeded."""
    query = "select status, detail -> 'inputs' as inputs from ops.pipeline_run where step = %s order by started_at desc"
    found = rows(connection, f"{query} limit 1", (step,))
    if not found or found[0]["status"] != "success":
        return None
    inputs: Inputs | None = found[0]["inputs"]
    return inputs


def n_landed(connection: Connection, as_of: datetime) -> int:
    """How many inputs can be read from landing as of an instant (UTC): a late one is counted, too."""
    return int(scalar(connection, "select count(*) from landing.input where used_from <= %s", (as_of,)))


def _finish(connection: Connection, step: str, run_id: str, status: str, detail: Mapping[str, Any]) -> None:
    connection.execute(
        "update ops.pipeline_run set status = %s, finished_at = clock_timestamp(), detail = %s "
        "where run_id = %s and step = %s",
        (status, Jsonb(dict(detail), dumps=lambda value: json.dumps(value, default=str)), run_id, step),
    )
