"""Search what became known since the last time, and keep what was found in ops.anomaly."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
from psycopg.types.json import Jsonb

from touchline.anomalies.detectors import (
    HISTORY,
    REFERENCE_MATCHES,
    STRETCH,
    YEAR,
    World,
    anomalies_between,
    judged_features,
)
from touchline.anomalies.finding import nothing
from touchline.database.engine import Connection, connect, scalar
from touchline.database.queries import query
from touchline.settings import Settings

# Prices and results of a match become known, and are corrected, within weeks of its kick-off.
LATEST_CORRECTION = STRETCH
FIXTURES_AHEAD = "60 days"
SHOWN = 5

FEATURES = """
select * from features.match_features
where kickoff_at > %(year_before)s and kickoff_at <= %(as_of)s + %(ahead)s::interval
"""
INSERT = """
insert into ops.anomaly (detector, subject_kind, subject, competition, season, match_id, what, place, observed,
    expected, score, compared_with, what_to_do, severity, as_of, run_id, detail)
values (%(detector)s, %(subject_kind)s, %(subject)s, %(competition)s, %(season)s, %(match_id)s, %(what)s, %(place)s,
    %(observed)s, %(expected)s, %(score)s, %(compared_with)s, %(what_to_do)s, %(severity)s, %(as_of)s, %(run_id)s,
    %(detail)s)
on conflict (detector, subject, observed) do nothing
"""
SEARCHED = """
insert into ops.anomaly_search (since, as_of, n_found, n_new, run_id)
values (%(since)s, %(as_of)s, %(n_found)s, %(n_new)s, %(run_id)s)
on conflict (since, as_of) do update set n_found = excluded.n_found, run_id = excluded.run_id
"""


@dataclass(frozen=True)
class AnomalyReport:
    """What a search found; `n_new` of them stood in ops.anomaly before by no earlier search."""

    since: str
    as_of: str
    n_found: int
    n_new: int
    by_detector: dict[str, int]
    worst: tuple[str, ...] = field(default=())

    @property
    def summary(self) -> str:
        """One sentence for a log, and the most unusual findings."""
        listed = ", ".join(f"{n} {name}" for name, n in sorted(self.by_detector.items()))
        text = f"{self.n_found} anomalies ({self.n_new} new) in what became known from {self.since} to {self.as_of}"
        return f"{text}{f': {listed}' if listed else ''}." + "".join(f"\n  {each}" for each in self.worst)


def find_anomalies(
    settings: Settings, as_of: datetime, run_id: str, since: datetime | None = None
) -> AnomalyReport:
    """Search rows that became known after `since` and by `as_of` (UTC), and write what is found to ops.anomaly.

    Without `since`: from the end of the last search before `as_of`, or four weeks back if there was none. Long
    stretches are walked in steps of four weeks, each compared with what was known before it. Found again, an anomaly
    is not written again.
    """
    with connect(settings, "transform") as connection:
        if since is None:
            last = scalar(connection, "select max(as_of) from ops.anomaly_search where as_of < %s", (as_of,))
            since = last or as_of - STRETCH
        found = [nothing()]
        step = since
        while step < as_of:
            until = min(step + STRETCH, as_of)
            world = read_world(connection, step, until)
            found.append(anomalies_between(world, step, until))
            step = until
        every = pl.concat(found).unique(
            ["detector", "subject", "observed"], keep="first", maintain_order=True
        )
        n_new = _write(connection, every, since, as_of, run_id)
        given = {"since": since, "as_of": as_of, "n_found": every.height, "n_new": n_new, "run_id": run_id}
        connection.execute(SEARCHED, given)
    worst = (
        every.sort("score", descending=True).unique("detector", keep="first", maintain_order=True).head(SHOWN)
    )
    return AnomalyReport(
        since.isoformat(), as_of.isoformat(), every.height, n_new, dict(Counter(every["detector"])),
        tuple(f"{row['detector']}: {row['place']}: {row['what']} ({row['score']:.1f})" for row in worst.to_dicts()),
    )  # fmt: skip


def read_world(connection: Connection, since: datetime, as_of: datetime) -> World:
    """What the detectors need about the stretch, as known by `as_of`."""
    given = {
        "as_of": as_of, "ahead": FIXTURES_AHEAD, "year_before": since - YEAR, "reference": REFERENCE_MATCHES,
        "correctable": since - LATEST_CORRECTION,
    }  # fmt: skip
    matches = _frame(connection, query("anomalies/sql/matches"), {**given, "since": since - HISTORY})
    quotes = _frame(connection, query("anomalies/sql/quotes"), {**given, "since": since})
    features = _frame(connection, FEATURES, given)
    names = tuple(judged_features(features.columns))
    wanted = [*names, "market_n_bookmakers"]
    joined = matches.join(features.select("match_id", *wanted), on="match_id", how="left")
    return World(joined, quotes, names)


def _frame(connection: Connection, query: str, given: dict[str, object]) -> pl.DataFrame:
    """A query's rows as a frame, by COPY: a hundred thousand quotes must not become Python objects."""
    with connection.cursor() as cursor:
        described = cursor.execute(f"{query} limit 0", given).description
        text = io.BytesIO()
        with cursor.copy(f"copy ({query}) to stdout (format csv, header)", given) as copy:
            for block in copy:
                text.write(block)
    kinds = {column.name: _kind(column.type_code) for column in described or ()}
    schema = {name: _read_as(kind) for name, kind in kinds.items()}
    frame = pl.read_csv(text.getvalue(), schema=schema, null_values=[""])
    return frame.with_columns(
        pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", time_zone="UTC")
        for name, kind in kinds.items() if kind == pl.Datetime
    )  # fmt: skip


def _read_as(kind: type[pl.DataType]) -> type[pl.DataType]:
    return pl.String if kind == pl.Datetime else kind


def _kind(type_code: int) -> type[pl.DataType]:
    """The frame's type for a PostgreSQL type, by its fixed object id."""
    if type_code in (20, 21, 23):
        return pl.Int64
    if type_code in (700, 701, 1700):
        return pl.Float64
    return pl.Datetime if type_code == 1184 else pl.String


def _write(connection: Connection, found: pl.DataFrame, since: datetime, as_of: datetime, run_id: str) -> int:
    n_before = scalar(connection, "select count(*) from ops.anomaly")
    searched = {"as_of": as_of, "run_id": run_id, "detail": Jsonb({"reference_until": since.isoformat()})}
    given = [{**row, **searched} for row in found.to_dicts()]
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, given)
    return int(scalar(connection, "select count(*) from ops.anomaly")) - int(n_before)
