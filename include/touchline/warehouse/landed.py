"""Record the matches with facts that have landed since the last build: ops.match_change."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from touchline.database.engine import Connection, rows, scalar
from touchline.landing.seen import note_seen

# Beyond this share of all matches, or of all known facts, an incremental build takes longer than a full one.
LARGEST_SHARE: Final = 0.2

_PENDING: Final = """
select kind, input_id, payload_id, observed_at, used_from, known_since
from landing.input
where not exists (
    select from ops.seen_input as seen
    where seen.consumer = 'build_core' and seen.kind = input.kind and seen.input_id = input.input_id
)
order by payload_id
"""

# The partitions of landing.odds_observation are chosen by the times of the payloads. Ratings read a result with the
# prices known at that time, so a price that counts as known before an already built result makes that result new.
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
    select odds.fixture_key,
        min(odds.known_at) filter (where odds.market = '1x2' and odds.known_at >= pending.known_since) as price_known_at
    from landing.odds_observation as odds inner join pending using (payload_id)
    where odds.payload_id = any(%(payload_ids)s) and odds.observed_at between %(first)s and %(last)s
        and odds.known_at <= %(as_of)s
    group by odds.fixture_key
)

insert into ops.match_change (change_id, match_id, known_from)
select %(change_id)s, fixture_key, min(known_from)
from (
    select facts.fixture_key, facts.known_at as known_from from facts inner join pending using (payload_id)
    where facts.known_at >= pending.known_since and facts.known_at <= %(as_of)s
    union all
    select quotes.fixture_key, result.valid_from from quotes
    left join core.result_version as result
        on quotes.fixture_key = result.match_id and quotes.price_known_at <= result.valid_from
) as touched
group by fixture_key
"""

_TAKEN_BACK: Final = """
select exists (
    select from landing.quarantined_fact as fact
    where fact.kind = 'fixture'
        and exists (
            select from ops.seen_input as seen
            where seen.consumer = 'build_core' and seen.kind = 'payload' and seen.input_id = fact.payload_id
        )
        and not exists (
            select from ops.seen_input as seen
            where seen.consumer = 'build_core' and seen.kind = 'quarantine'
                and seen.input_id = fact.quarantined_fact_id
        )
)
"""

# A fact about a built match that counts as known before the last build, usually from a source's first body. It changes
# the past of the match, from which names and pairings may have disappeared.
_REWRITTEN: Final = """
select exists (
    select from unnest(%(payload_ids)s::bigint[], %(known_since)s::timestamptz[]) as pending (payload_id, known_since)
    inner join landing.fixture_observation as fixture using (payload_id)
    inner join core.match as match on match.match_id = fixture.fixture_key
    where fixture.known_at >= coalesce(pending.known_since, '-infinity') and fixture.known_at <= %(built_as_of)s
)
"""

# Whether more than this share of the known facts was learnt since the first change, or is about changed matches.
_IS_MUCH: Final = """
with change as (
    select count(distinct match_id) as n_matches, min(known_from) as known_from from ops.match_change
    where change_id > %(since)s
),

size as (
    select oid::regclass::text as name, greatest(reltuples, 1000) * %(share)s as n from pg_class
    where oid in (to_regclass('core.match'), to_regclass('core.match_version'))
)

select (select n_matches from change) > (select n from size where name = 'core.match')
    or (
        select count(*) from (
            select from core.match_version
            where valid_from >= (select known_from from change)
            limit (select n::bigint + 1 from size where name = 'core.match_version')
        ) as learned_since
    ) > (select n from size where name = 'core.match_version')
"""

_SET_ASIDE: Final = """
with aside as (
    select * from landing.quarantined_fact as fact
    where not exists (
        select from ops.seen_input as seen
        where seen.consumer = 'build_core' and seen.kind = 'quarantine' and seen.input_id = fact.quarantined_fact_id
    )
),

noted as (
    insert into ops.seen_input (consumer, kind, input_id, as_of)
    select 'build_core', 'quarantine', quarantined_fact_id, %(as_of)s from aside
)

insert into ops.match_change (change_id, match_id, known_from)
select %(change_id)s, aside.fixture_key, min(coalesce(fixture.known_at, score.known_at, result.valid_from))
from aside
left join landing.fixture_observation as fixture
    on aside.kind = 'fixture' and fixture.fixture_key = aside.fixture_key and fixture.payload_id = aside.payload_id
left join landing.score_observation as score
    on aside.kind = 'score' and score.fixture_key = aside.fixture_key and score.payload_id = aside.payload_id
left join core.result_version as result on aside.market = '1x2' and result.match_id = aside.fixture_key
group by aside.fixture_key
on conflict (change_id, match_id) do update set known_from = least(match_change.known_from, excluded.known_from)
"""


def note_changes(connection: Connection, as_of: datetime, change_id: int, built: dict[str, Any]) -> bool:
    """Record the matches with newly landed facts; False when a full build is needed instead."""
    # A fixture withdrawn after it was built leaves traces in too many places to follow.
    if scalar(connection, _TAKEN_BACK):
        return False
    pending = rows(connection, _PENDING)
    if pending:
        observed = [each["observed_at"] for each in pending]
        parameters = {
            "payload_ids": [each["payload_id"] for each in pending],
            "known_since": [each["known_since"] for each in pending],
            "first": min(observed), "last": max(observed), "as_of": as_of, "change_id": change_id,
            "built_as_of": built["as_of"],
        }  # fmt: skip
        if scalar(connection, _REWRITTEN, parameters):
            return False
        connection.execute(_TOUCHED, parameters)
        _note_seen(connection, pending, as_of)
    connection.execute(_SET_ASIDE, {"change_id": change_id, "as_of": as_of})
    return not scalar(connection, _IS_MUCH, {"since": built["change_id"], "share": LARGEST_SHARE})


def note_everything(connection: Connection, as_of: datetime) -> None:
    """Record everything landed as seen, for a full build; no match is recorded as changed."""
    connection.execute("truncate ops.match_change")
    connection.execute("delete from ops.seen_input where consumer = 'build_core'")
    _note_seen(connection, rows(connection, _PENDING), as_of)
    connection.execute(
        "insert into ops.seen_input (consumer, kind, input_id, as_of) "
        "select 'build_core', 'quarantine', quarantined_fact_id, %s from landing.quarantined_fact",
        (as_of,),
    )


def _note_seen(connection: Connection, pending: list[dict[str, Any]], as_of: datetime) -> None:
    """Record inputs as seen. Those observed after `as_of` stay pending, because some may not be known yet."""
    done = [(each["kind"], each["input_id"]) for each in pending if each["used_from"] <= as_of]
    note_seen(connection, "build_core", done, as_of)
