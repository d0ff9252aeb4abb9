"""Write observations to landing: by COPY, and only where they differ from the last observed value."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import polars as pl
import psycopg
from psycopg import sql

from touchline.database.engine import Connection, rows, scalar
from touchline.landing.copying import copy_frame, uuid_array
from touchline.landing.payloads import Payload
from touchline.landing.revisions import WITHDRAWN
from touchline.landing.ticks import last_quotes, write_quotes
from touchline.landing.withdrawn import with_withdrawn
from touchline.sources.source import Observations, Rejection

# What the database says of facts that it will never take, unlike that it is down.
UNWRITABLE = (psycopg.DataError, psycopg.IntegrityError)
PROVENANCE = ("payload_id", "row_number", "published_at", "observed_at", "known_at")
# one number: the prices that a payload was the first to have set aside
_NEW_PRICES = """
select count(*) from landing.rejected_row as rejected
where payload_id = %s and scope = 'price' and not exists (
    select from landing.rejected_row as earlier
    where earlier.finding_key = rejected.finding_key and earlier.rejected_row_id < rejected.rejected_row_id
)
"""


@dataclass(frozen=True)
class Target:
    """A table of observations. `identity` identifies a fact; other columns, except provenance, are its value."""

    table: str
    identity: tuple[str, ...]


FIXTURES = Target("fixture_observation", ("fixture_key", "source"))
SCORES = Target("score_observation", ("fixture_key", "source"))


@dataclass(frozen=True)
class Counts:
    """How many facts of each kind were new."""

    fixtures: int
    scores: int
    quotes: int


@dataclass(frozen=True)
class FileReport:
    """What one stored body gave; `rows` = `parsed` + `rejected`. Of facts and `rejected_prices` only new ones count."""

    payload_id: int
    endpoint: str
    rows: int
    parsed: int
    rejected: int
    rejected_prices: int
    new_fixtures: int
    new_scores: int
    new_quotes: int


def write(connection: Connection, payload: Payload, observations: Observations, run_id: str) -> FileReport:
    """Write a payload's facts and mark it as parsed, in the caller's transaction.

    Facts of a request's first body get `known_at` from the publisher's schedule; those of later bodies get the time
    at which we saw them. Like facts, a price that an earlier version of the body had set aside is not counted again.
    """
    new = write_facts(connection, payload, observations)
    write_rejections(connection, payload, observations.rejections, run_id)
    n_prices = int(scalar(connection, _NEW_PRICES, (payload.payload_id,)))
    scopes = Counter(rejection.scope for rejection in observations.rejections)
    report = FileReport(
        payload.payload_id, payload.endpoint, observations.n_rows, observations.n_parsed, scopes["row"],
        n_prices, new.fixtures, new.scores, new.quotes,
    )  # fmt: skip
    connection.execute(
        "insert into landing.payload_parsed (payload_id, n_rows, n_parsed, n_rejected, n_rejected_prices, "
        "n_fixtures, n_scores, n_quotes, run_id) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            report.payload_id, report.rows, report.parsed, report.rejected, report.rejected_prices,
            report.new_fixtures, report.new_scores, report.new_quotes, run_id,
        ),
    )  # fmt: skip
    return report


def write_facts(
    connection: Connection, payload: Payload, observations: Observations, known_at: datetime | None = None
) -> Counts:
    """Write the facts that are new, dated by `known_at` (UTC) if given, in the caller's transaction."""
    known = _already_observed(connection, payload.source, observations)
    matches = pl.concat([observations.fixtures["fixture_key"], observations.quotes["fixture_key"]]).unique()
    last = last_quotes(connection, matches, payload.source)
    return Counts(
        _write_facts(connection, FIXTURES, _dated(payload, observations.fixtures, known_at), known),
        _write_facts(connection, SCORES, _dated(payload, observations.scores, known_at), known),
        write_quotes(
            connection, _dated(payload, with_withdrawn(payload, observations, last), known_at), last
        ),
    )


def reject_payload(connection: Connection, payload: Payload, reason: str, run_id: str) -> None:
    """Record that nothing in a payload can be used; it stays stored and is not parsed again by a collection."""
    rejection = Rejection(0, "payload", "payload_unreadable", None, None, reason)
    write_rejections(connection, payload, [rejection], run_id)
    connection.execute(
        "insert into landing.payload_parsed values (%s, 0, 0, 0, 0, 0, 0, 0, %s)",
        (payload.payload_id, run_id),
    )


def _already_observed(connection: Connection, source: str, observations: Observations) -> set[str]:
    """The matches that the source listed on the same day before. On another day, or once withdrawn, all is said anew:
    a result known before belongs to the day it was given for."""
    days = dict(observations.fixtures.select("fixture_key", "kickoff_on").iter_rows())
    found = rows(
        connection,
        "select distinct on (fixture_key) fixture_key::text as key, kickoff_on, status "
        "from landing.fixture_observation where fixture_key = any(%s::uuid[]) and source = %s "
        "order by fixture_key, payload_id desc",
        (uuid_array(sorted({*days, *observations.scores["fixture_key"]})), source),
    )
    return {
        row["key"]
        for row in found
        if row["status"] != WITHDRAWN and row["kickoff_on"] == days.get(row["key"], row["kickoff_on"])
    }


def _dated(payload: Payload, facts: pl.DataFrame, known_at: datetime | None) -> pl.DataFrame:
    """Facts with their provenance and the time from which they could be used."""
    utc = pl.Datetime("us", "UTC")
    observed = pl.lit(payload.observed_at, dtype=utc)
    # A fact was public, at the latest, when we saw it: whatever a timetable or the source's clock says.
    published = pl.min_horizontal("published_at", observed)
    known = published if payload.is_backfill else observed
    return facts.with_columns(
        source=pl.lit(payload.source),
        payload_id=pl.lit(payload.payload_id),
        observed_at=observed,
        published_at=published,
        known_at=known if known_at is None else pl.lit(known_at, dtype=utc),
    )


def _write_facts(connection: Connection, target: Target, facts: pl.DataFrame, known: set[str]) -> int:
    is_known = pl.col("fixture_key").is_in(list(known))
    # A match of which all is new cannot repeat a fact, so its rows need no comparison.
    fresh = facts.filter(~is_known)
    copy_frame(connection, sql.Identifier("landing", target.table), fresh)
    return fresh.height + _write_changes(connection, target, facts.filter(is_known))


def _write_changes(connection: Connection, target: Target, frame: pl.DataFrame) -> int:
    if frame.is_empty():
        return 0
    stage = sql.Identifier(f"stage_{target.table}")
    table = sql.Identifier("landing", target.table)
    connection.execute(
        sql.SQL("create temporary table if not exists {} (like {}) on commit delete rows").format(
            stage, table
        )
    )
    connection.execute(sql.SQL("truncate {}").format(stage))
    copy_frame(connection, stage, frame)
    values = [name for name in frame.columns if name not in (*target.identity, *PROVENANCE, "source")]
    statement = sql.SQL(
        "insert into {table} ({columns}) select {columns} from {stage} as stage where not exists ("
        " select 1 from (select {values} from {table} as stored where {same_fact}"
        " order by payload_id desc limit 1) as last where ({last}) is not distinct from ({new}))"
        " on conflict do nothing"
    ).format(
        table=table,
        stage=stage,
        columns=sql.SQL(", ").join(map(sql.Identifier, frame.columns)),
        values=sql.SQL(", ").join(map(sql.Identifier, values)),
        same_fact=sql.SQL(" and ").join(
            sql.SQL("stored.{0} = stage.{0}").format(sql.Identifier(name)) for name in target.identity
        ),
        last=sql.SQL(", ").join(sql.Identifier("last", name) for name in values),
        new=sql.SQL(", ").join(sql.Identifier("stage", name) for name in values),
    )
    return connection.execute(statement).rowcount


def write_rejections(
    connection: Connection, payload: Payload, rejections: Sequence[Rejection], run_id: str
) -> None:
    """Write why rows, fields and prices were not used, in the caller's transaction."""
    if not rejections:
        return
    columns = (
        "payload_id, row_number, scope, rule, field, value, reason, row_text, observed_at, run_id, "
        "competition, kickoff_at, home_team, away_team, finding_key"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy landing.rejected_row ({columns}) from stdin") as copy,
    ):
        for item, key in zip(rejections, _finding_keys(payload, rejections), strict=True):
            about = item.fixture
            fixture = (
                (None, None, None, None)
                if about is None
                else (
                    about.competition,
                    about.kickoff_at,
                    _storable(about.home_team),
                    _storable(about.away_team),
                )
            )
            copy.write_row(
                (
                    payload.payload_id, item.row_number, item.scope, item.rule, item.field,
                    _storable(item.value), item.reason, _storable(item.row_text), payload.observed_at, run_id,
                    *fixture, key,
                )
            )  # fmt: skip


def _finding_keys(payload: Payload, rejections: Sequence[Rejection]) -> Iterator[UUID]:
    """What tells each refusal from all others, and is the same in every version of a file: MD5 of the file, the row,
    the field and the value, and the place among equal ones. An unreadable body is a finding of its own."""
    file = payload.endpoint.partition("?")[0]
    told: Counter[str] = Counter()
    for item in rejections:
        row = item.row_key or item.row_text or str(item.row_number)
        if item.scope == "payload":
            row = f"payload {payload.payload_id}"
        name = "|".join(
            (payload.source, file, item.scope, item.rule, row, item.field or "", item.value or "")
        )
        told[name] += 1
        yield UUID(bytes=hashlib.md5(f"{name}|{told[name]}".encode(), usedforsecurity=False).digest())


def _storable(text: str | None) -> str | None:
    # PostgreSQL text cannot hold NUL, and a damaged file may.
    return None if text is None else text.replace("\x00", "\N{SYMBOL FOR NULL}")
