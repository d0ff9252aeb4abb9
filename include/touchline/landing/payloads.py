"""The payload store: every body exactly as received, before it is parsed."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.types.json import Jsonb

from touchline.database.engine import Connection, rows, scalar
from touchline.errors import PayloadRejected, SettingsInvalid
from touchline.sources.source import Observations, Reply, Request, Source

log = logging.getLogger(__name__)

# Level 6 takes three times as long and saves only a tenth more space.
COMPRESSION = 3


@dataclass(frozen=True)
class Payload:
    """A stored body that has not been parsed yet. `observed_at` is UTC."""

    payload_id: int
    source: str
    endpoint: str
    observed_at: datetime
    is_backfill: bool
    body: bytes


def lock_source(connection: Connection, source: str) -> None:
    """Lock the source for this transaction, so that two collectors never store or parse the same thing twice."""
    connection.execute("select pg_advisory_xact_lock(hashtext('landing ' || %s))", (source,))


def claim_world(connection: Connection, source: str, *, is_simulated: bool) -> None:
    """Record on first use whether this database holds real or simulated football.

    Raises SettingsInvalid when the database already holds the other kind: the two are never mixed.
    """
    connection.execute(
        "insert into ops.world (is_simulated, first_source) values (%s, %s) on conflict do nothing",
        (is_simulated, source),
    )
    (world,) = rows(connection, "select is_simulated, first_source from ops.world")
    if world["is_simulated"] != is_simulated:
        kinds = {True: "simulated", False: "real"}
        raise SettingsInvalid(
            f"this database holds {kinds[world['is_simulated']]} football (from {world['first_source']}) and "
            f"{source} is {kinds[is_simulated]}: set TOUCHLINE_DATABASE_NAME to another database"
        )


def last_validators(
    connection: Connection, source: str, endpoints: Sequence[str]
) -> Mapping[str, Mapping[str, str]]:
    """HTTP validators of the last body stored for each of these endpoints, where there were any."""
    found = rows(
        connection,
        "select endpoint, last.validators from unnest(%s::text[]) as endpoint inner join lateral ("
        "select validators from landing.payload where source = %s and payload.endpoint = endpoint.endpoint "
        "order by payload_id desc limit 1) as last on true",
        (list(endpoints), source),
    )
    return {row["endpoint"]: row["validators"] for row in found if row["validators"]}


def answered_in_run(connection: Connection, source: str, run_id: str) -> set[str]:
    """Endpoints whose body this run has stored, or recorded as seen again."""
    found = rows(
        connection,
        "select endpoint from landing.payload where source = %(source)s and run_id = %(run_id)s union "
        "select endpoint from landing.payload inner join landing.payload_seen using (payload_id) "
        "where source = %(source)s and payload_seen.run_id = %(run_id)s",
        {"source": source, "run_id": run_id},
    )
    return {row["endpoint"] for row in found}


def last_body(connection: Connection, request: Request) -> bytes:
    """The last body stored for a request that was answered."""
    query = "select body from landing.payload where source = %s and endpoint = %s order by payload_id desc limit 1"
    return zlib.decompress(scalar(connection, query, (request.source, request.endpoint)))


def store(
    connection: Connection, request: Request, reply: Reply, observed_at: datetime, run_id: str
) -> Literal["new", "seen"]:
    """Store a body, or record that the last body of this request was seen again."""
    lock_source(connection, request.source)
    digest = hashlib.sha256(reply.body).digest()
    last = rows(
        connection,
        "select payload_id, content_hash from landing.payload where source = %s and endpoint = %s "
        "order by payload_id desc limit 1",
        (request.source, request.endpoint),
    )
    if last and bytes(last[0]["content_hash"]) == digest:
        note_seen(connection, request, observed_at, run_id)
        return "seen"
    connection.execute(
        "insert into landing.payload (source, endpoint, observed_at, is_backfill, http_status, content_type, "
        "validators, content_hash, n_bytes, body, run_id) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            request.source, request.endpoint, observed_at, not last, reply.http_status, reply.content_type,
            Jsonb(dict(reply.validators)), digest, len(reply.body), zlib.compress(reply.body, COMPRESSION), run_id,
        ),
    )  # fmt: skip
    return "new"


def note_seen(connection: Connection, request: Request, observed_at: datetime, run_id: str) -> None:
    """Record that the last body of this request was still current at `observed_at`."""
    connection.execute(
        "insert into landing.payload_seen (payload_id, observed_at, run_id) "
        "select payload_id, %s, %s from (select payload_id, observed_at from landing.payload where source = %s "
        "and endpoint = %s order by payload_id desc limit 1) as last where observed_at <> %s on conflict do nothing",
        (observed_at, run_id, request.source, request.endpoint, observed_at),
    )


def unparsed(connection: Connection, source: str) -> list[int]:
    """Ids of this source's payloads that are not parsed yet, oldest first."""
    found = rows(
        connection,
        "select payload_id from landing.payload left join landing.payload_parsed using (payload_id) "
        "where source = %s and payload_parsed.payload_id is null order by payload_id",
        (source,),
    )
    return [row["payload_id"] for row in found]


def read(connection: Connection, payload_id: int) -> Payload | None:
    """A payload with its body as received, or None when it has been parsed in the meantime."""
    return None if is_parsed(connection, payload_id) else read_again(connection, payload_id)


def read_again(connection: Connection, payload_id: int) -> Payload:
    """A payload with its body as received, parsed or not."""
    (row,) = rows(
        connection,
        "select payload_id, source, endpoint, observed_at, is_backfill, body from landing.payload "
        "where payload_id = %s",
        (payload_id,),
    )
    return Payload(**{**row, "body": zlib.decompress(row["body"])})


def parse(source: Source, payload: Payload) -> Observations:
    """What a payload's source reads in it.

    Raises PayloadRejected when it is no such body, and when the parser fails: its fault must not keep the payloads
    behind this one from being read.
    """
    try:
        return source.parse(Request(payload.source, payload.endpoint), payload.body)
    except PayloadRejected:
        raise
    except Exception as error:
        log.exception("payload %s", payload.payload_id)
        raise PayloadRejected(
            f"{payload.endpoint}: the parser failed: {type(error).__name__}: {error}; mend it, then run "
            "`touchline rejects replay`"
        ) from error


def is_parsed(connection: Connection, payload_id: int) -> bool:
    """True when the facts of this payload have been written, or it was found unreadable."""
    query = "select 1 from landing.payload_parsed where payload_id = %s"
    return scalar(connection, query, (payload_id,)) is not None
