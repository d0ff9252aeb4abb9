"""The pipeline's state as the API sees it: what is missing, how old the data is, and what time it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import asyncpg
from alembic.script import ScriptDirectory

from touchline.database.bootstrap import MIGRATIONS
from touchline.database.queries import query
from touchline.errors import DatabaseUnavailable
from touchline.monitoring.shortfalls import EVIDENCE, MISSING, Shortfall, horizon_end, judge
from touchline.serving.database import Reader, Row
from touchline.serving.present import Present
from touchline.serving.problems import NOT_BUILT, NOT_MIGRATED
from touchline.serving.shared import NO_PRESENT

NO_PREDICTION = "there is no prediction yet: run `make run`, or `touchline train` and `touchline predict`"
CLOCK_STOPPED = "the simulated world's clock does not answer: the time is that of the last run"


@dataclass(frozen=True)
class State:
    """`reasons` say why nothing can be served, `shortfalls` what is missing from what is served.

    Times are UTC on the run clock, None where unknown; `n_upcoming` is None before the warehouse is built.
    """

    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    as_of: datetime | None = None
    last_predicted_at: datetime | None = None
    n_upcoming: int | None = None
    shortfalls: tuple[Shortfall, ...] = ()
    last_steps: Mapping[str, datetime] = field(default_factory=dict)
    quality: Sequence[Mapping[str, Any]] = ()
    has_database: bool = True


async def read_state(reader: Reader, present: Present, horizon_days: int) -> State:
    """Read the whole state; missing parts become reasons, not errors."""
    try:
        return await _read(reader, present, horizon_days)
    except DatabaseUnavailable as error:
        return State((str(error),), has_database=False)


async def _read(reader: Reader, present: Present, horizon_days: int) -> State:
    try:
        row = await reader.row(query("serving/sql/state"))
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError):
        return State((NOT_MIGRATED,))
    assert row is not None, "a select without from gives one row"
    if row["revision"] != _newest_revision():
        return State((f"{NOT_MIGRATED} (it is at {row['revision']}, the code at {_newest_revision()})",))
    live = await present()
    as_of = await _present(reader, live)
    predicted = await reader.row(query("serving/sql/last_predicted"), as_of)
    last_predicted_at = None if predicted is None else predicted["predicted_at"]
    reasons = [
        reason
        for reason, is_missing in (
            (NOT_BUILT, not row["is_built"]),
            (NO_PREDICTION, last_predicted_at is None),
            (NO_PRESENT, as_of is None),
        )
        if is_missing
    ]
    n_upcoming: int | None = None
    shortfalls: tuple[Shortfall, ...] = ()
    if as_of is not None:
        evidence = await reader.rows(query(EVIDENCE), as_of)
        missing: Sequence[Row] = ()
        if row["is_built"]:
            counts = await reader.rows(
                query("serving/sql/upcoming_counts"), "champion", as_of, None, None, None
            )
            n_upcoming = sum(count["n"] for count in counts)
            missing = await reader.rows(query(MISSING), as_of, horizon_end(evidence, as_of, horizon_days))
        shortfalls = judge(evidence, missing, as_of)
    return State(
        tuple(reasons),
        (CLOCK_STOPPED,) if live is None and as_of is not None else (),
        as_of,
        last_predicted_at,
        n_upcoming,
        shortfalls,
        {step["step"]: step["as_of"] for step in await reader.rows(query("serving/sql/last_steps"))},
        await reader.rows(query("serving/sql/quality")),
    )


async def _present(reader: Reader, clock: datetime | None) -> datetime | None:
    row = await reader.row(query("serving/sql/present"), clock)
    return None if row is None else row["as_of"]


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
