"""What a build has to work in: the matches of which something new has landed, and whether that is all there is to do.

A layer stands as of an instant, up to a change and by a definition (ops.layer_build). Where the next build only goes
on from there, it works in what changed; otherwise, and when that is the quicker way, it is built in full. Both end in
the same tables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from touchline.database.engine import Connection, connect, rows, scalar
from touchline.settings import PROJECT_ROOT, Settings

PlannedLayer = Literal["core", "ratings", "features", "analytics"]
# Those that work in changes; analytics holds views, which have nothing to catch up with.
CHANGING_LAYERS: tuple[PlannedLayer, ...] = ("core", "ratings", "features")
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
# Beyond this share of all matches, working them in one by one takes longer than building everything.
LARGEST_SHARE: Final = 0.2

_PENDING: Final = """
select 'payload' as kind, payload_id as input_id, payload_id, payload.observed_at,
    payload.observed_at as used_from, null::timestamptz as known_since
from landing.payload_parsed inner join landing.payload using (payload_id)
where not exists (select from ops.built_input as built where built.kind = 'payload' and built.input_id = payload_id)
union all
select 'replay', payload_replayed_id, payload_id, payload.observed_at, replayed.observed_at, replayed.observed_at
from landing.payload_replayed as replayed inner join landing.payload using (payload_id)
where not exists (
    select from ops.built_input as built where built.kind = 'replay' and built.input_id = payload_replayed_id
)
order by payload_id
"""

# The partitions of landing.odds_observation are chosen by the times of the payloads.
_TOUCHED: Final = """
with pending as (
    select payload_id, min(coalesce(known_since, '-infinity')) as known_since
    from unnest(%(payload_ids)s::bigint[], %(known_since)s::timestamptz[]) as given (payload_id, known_since)
    group by payload_id
),

facts as (
    select fixture_key, payload_id, known_at from landing.fixture_observation
    where payload_id = any(%(payload_ids)s)
    union all
    select fixture_key, payload_id, known_at from landing.score_observation
    where payload_id = any(%(payload_ids)s)
),

quotes as (
    select distinct fixture_key from landing.odds_observation
    where payload_id = any(%(payload_ids)s) and observed_at between %(first)s and %(last)s
        and known_at <= %(as_of)s
)

insert into ops.match_change (change_id, match_id, known_from)
select %(change_id)s, fixture_key, min(known_from)
from (
    select facts.fixture_key, facts.known_at as known_from from facts inner join pending using (payload_id)
    where facts.known_at >= pending.known_since and facts.known_at <= %(as_of)s
    union all
    select fixture_key, null from quotes
) as touched
group by fixture_key
"""

_TAKEN_BACK: Final = """
select exists (
    select from landing.quarantined_fact as fact
    where fact.kind = 'fixture'
        and exists (
            select from ops.built_input as built
            where built.kind = 'payload' and built.input_id = fact.payload_id
        )
        and not exists (
            select from ops.built_input as built
            where built.kind = 'quarantine' and built.input_id = fact.quarantined_fact_id
        )
)
"""

_SET_ASIDE: Final = """
with aside as (
    select * from landing.quarantined_fact as fact
    where not exists (
        select from ops.built_input as built
        where built.kind = 'quarantine' and built.input_id = fact.quarantined_fact_id
    )
),

noted as (
    insert into ops.built_input (kind, input_id, change_id)
    select 'quarantine', quarantined_fact_id, %(change_id)s from aside
)

insert into ops.match_change (change_id, match_id, known_from)
select %(change_id)s, aside.fixture_key, min(coalesce(fixture.known_at, score.known_at))
from aside
left join landing.fixture_observation as fixture
    on aside.kind = 'fixture' and fixture.fixture_key = aside.fixture_key and fixture.payload_id = aside.payload_id
left join landing.score_observation as score
    on aside.kind = 'score' and score.fixture_key = aside.fixture_key and score.payload_id = aside.payload_id
group by aside.fixture_key
on conflict (change_id, match_id) do update set known_from = least(match_change.known_from, excluded.known_from)
"""


@dataclass(frozen=True)
class Plan:
    """How a layer is to be built: in full, or the changes after `since`, known from `known_from` on (UTC).

    `built_as_of` is as of when the layer stands. `known_from` is no later than that: what a fixture's features say
    moves with the clock.
    """

    layer: str
    as_of: datetime
    is_full: bool
    since: int
    until: int
    built_as_of: datetime | None
    known_from: datetime | None
    n_matches: int
    definition: str


@contextmanager
def building(settings: Settings) -> Iterator[None]:
    """One build at a time: another waits here until this one has ended."""
    with connect(settings, "transform") as connection:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock(hashtext('warehouse build'))")
        yield


def plan(
    settings: Settings, layer: PlannedLayer, as_of: datetime, definition: str, *, is_full: bool = False
) -> Plan:
    """What a layer has to do to stand as of `as_of` (UTC); a plan of core first notes what has landed since.

    A layer that must be built in full loses its row in ops.layer_build, and so do those after core: a build that
    dies is begun again from nothing. `is_full` asks for that.
    """
    with connect(settings, "transform") as connection:
        built = _built(connection, layer)
        is_full = is_full or built is None or as_of < built["as_of"] or definition != built["definition"]
        newest = scalar(
            connection,
            "select greatest((select max(change_id) from ops.match_change), "
            "(select max(change_id) from ops.layer_build), 0)",
        )
        if layer == "core":
            newest += 1
            if not is_full:
                # A fixture taken back after it was built leaves traces in too many places to follow.
                is_full = bool(scalar(connection, _TAKEN_BACK))
            if not is_full:
                _note_changes(connection, as_of, newest)
                is_full = _is_much(connection, built)
            if is_full:
                _forget(connection, CHANGING_LAYERS)
                connection.execute("truncate ops.match_change, ops.built_input")
                _note_inputs(connection, _pending(connection), as_of, newest)
                _note_all_set_aside(connection, newest)
        elif is_full:
            _forget(connection, (layer,))
        since = 0 if is_full or built is None else built["change_id"]
        (change,) = rows(
            connection,
            "select count(distinct match_id) as n, min(known_from) as known_from from ops.match_change "
            "where change_id > %s",
            (since,),
        )
    built_as_of = None if is_full or built is None else built["as_of"]
    known = [moment for moment in (change["known_from"], built_as_of) if moment is not None]
    return Plan(
        layer, as_of, is_full, since, newest, built_as_of,
        None if is_full else min(known), change["n"], definition,
    )  # fmt: skip


def note_built(settings: Settings, done: Plan, run_id: str) -> None:
    """Record that a layer stands as planned; changes that every layer has worked in are removed."""
    with connect(settings, "transform") as connection:
        note_built_in(connection, done, run_id)


def note_built_in(connection: Connection, done: Plan, run_id: str) -> None:
    """As `note_built`, in the caller's transaction."""
    connection.execute(
        "insert into ops.layer_build (layer, as_of, change_id, definition, is_full, run_id) "
        "values (%s, %s, %s, %s, %s, %s) on conflict (layer) do update set as_of = excluded.as_of, "
        "change_id = excluded.change_id, definition = excluded.definition, is_full = excluded.is_full, "
        "run_id = excluded.run_id, built_at = clock_timestamp()",
        (done.layer, done.as_of, done.until, done.definition, done.is_full, run_id),
    )
    connection.execute(
        "delete from ops.match_change where change_id <= (select min(change_id) from ops.layer_build "
        "where layer = any(%s) having count(*) = %s)",
        (list(CHANGING_LAYERS), len(CHANGING_LAYERS)),
    )


def definition_of(layer: PlannedLayer, *parts: object) -> str:
    """Digest of what a layer's tables depend on beside the facts: its models, seeds and macros, and `parts`."""
    digest = hashlib.sha256(json.dumps(parts, default=str).encode())
    folders = ("models/staging", "models/core", "seeds", "macros")
    for folder in (*folders, f"models/{layer}"):
        for path in sorted((DBT_PROJECT / folder).rglob("*.*")):
            if path.suffix in (".sql", ".csv", ".yml"):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _built(connection: Connection, layer: str) -> dict[str, Any] | None:
    found = rows(
        connection, "select as_of, change_id, definition from ops.layer_build where layer = %s", (layer,)
    )
    return found[0] if found else None


def _pending(connection: Connection) -> list[dict[str, Any]]:
    return rows(connection, _PENDING)


def _note_changes(connection: Connection, as_of: datetime, change_id: int) -> None:
    pending = _pending(connection)
    if pending:
        observed = [each["observed_at"] for each in pending]
        connection.execute(
            _TOUCHED,
            {
                "payload_ids": [each["payload_id"] for each in pending],
                "known_since": [each["known_since"] for each in pending],
                "first": min(observed), "last": max(observed), "as_of": as_of, "change_id": change_id,
            },
        )  # fmt: skip
        _note_inputs(connection, pending, as_of, change_id)
    connection.execute(_SET_ASIDE, {"change_id": change_id})


def _note_inputs(
    connection: Connection, pending: list[dict[str, Any]], as_of: datetime, change_id: int
) -> None:
    """What was observed after `as_of` stays pending: some of it may not be known yet."""
    done = [(each["kind"], each["input_id"]) for each in pending if each["used_from"] <= as_of]
    connection.execute(
        "insert into ops.built_input (kind, input_id, change_id) "
        "select kind, input_id, %s from unnest(%s::text[], %s::bigint[]) as given (kind, input_id)",
        (change_id, [kind for kind, _ in done], [input_id for _, input_id in done]),
    )


def _note_all_set_aside(connection: Connection, change_id: int) -> None:
    connection.execute(
        "insert into ops.built_input (kind, input_id, change_id) "
        "select 'quarantine', quarantined_fact_id, %s from landing.quarantined_fact",
        (change_id,),
    )


def _is_much(connection: Connection, built: dict[str, Any] | None) -> bool:
    since = 0 if built is None else built["change_id"]
    return bool(
        scalar(
            connection,
            "select count(distinct match_id) > %s * (select greatest(reltuples, 1000) from pg_class "
            "where oid = to_regclass('core.match')) from ops.match_change where change_id > %s",
            (LARGEST_SHARE, since),
        )
    )


def _forget(connection: Connection, layers: tuple[PlannedLayer, ...]) -> None:
    connection.execute("delete from ops.layer_build where layer = any(%s)", (list(layers),))
