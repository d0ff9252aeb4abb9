"""What could not be used, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from touchline.database.engine import connect, rows
from touchline.settings import Settings

# A value is one finding in all versions of its file: its newest record stands for it.
_WANTED: Final = """
from landing.rejected_row as rejected
inner join landing.payload using (payload_id)
left join landing.rejected_row_settled as settled using (rejected_row_id)
cross join lateral (
    select min(observed_at) as observed_at from landing.rejected_row as record
    where record.finding_key = rejected.finding_key
) as first
where (%(source)s::text is null or payload.source = %(source)s)
    and (%(rule)s::text is null or rejected.rule = %(rule)s)
    and (%(scope)s::text is null or rejected.scope = %(scope)s)
    and (%(since)s::timestamptz is null or first.observed_at >= %(since)s)
    and rejected.observed_at <= %(as_of)s
    and not exists (
        select from landing.rejected_row as later
        where later.finding_key = rejected.finding_key and later.rejected_row_id > rejected.rejected_row_id
            and later.observed_at <= %(as_of)s
    )
"""
_COUNTS: Final = f"""
select
    payload.source, rejected.scope, rejected.rule, coalesce(rejected.field, '') as field, count(*) as n,
    count(*) filter (where settled.rejected_row_id is null) as n_open, max(first.observed_at) as last_at,
    (array_agg(rejected.reason order by first.observed_at desc, rejected.rejected_row_id desc))[1] as example
{_WANTED}
group by payload.source, rejected.scope, rejected.rule, rejected.field
order by n desc, source, rule, field
"""
_ROWS: Final = f"""
select
    rejected.rejected_row_id, payload.source, payload.endpoint, rejected.payload_id, rejected.row_number,
    rejected.scope, rejected.rule, rejected.field, rejected.value, rejected.reason, rejected.row_text,
    rejected.observed_at, first.observed_at as first_observed_at,
    settled.rejected_row_id is not null as is_settled
{_WANTED}
order by first.observed_at desc, rejected.rejected_row_id desc
limit %(limit)s
"""


@dataclass(frozen=True)
class RejectFilter:
    """Selects findings by source, rule, scope and the time of their first observation (UTC). None means any."""

    as_of: datetime
    source: str | None = None
    rule: str | None = None
    scope: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class RejectCount:
    """How many values one rule refused in one field of one source: one in all versions of a file that holds it.

    `n_open` are still in quarantine; `last_at` is when the newest of them was first observed.
    """

    source: str
    scope: str
    rule: str
    field: str
    n: int
    n_open: int
    last_at: datetime
    example: str


@dataclass(frozen=True)
class RejectedRow:
    """One refused value, as the newest version of its file has it; `first_observed_at` is when it came first (UTC).

    `row_number` counts rows of the payload from 1; 0 is the payload itself.
    """

    rejected_row_id: int
    source: str
    endpoint: str
    payload_id: int
    row_number: int
    scope: str
    rule: str
    field: str | None
    value: str | None
    reason: str
    row_text: str | None
    observed_at: datetime
    first_observed_at: datetime
    is_settled: bool


def count_rejects(settings: Settings, wanted: RejectFilter) -> list[RejectCount]:
    """Counts by source, rule and field, the most frequent first."""
    with connect(settings, "ingest") as connection:
        return [RejectCount(**row) for row in rows(connection, _COUNTS, vars(wanted))]


def list_rejects(settings: Settings, wanted: RejectFilter, limit: int) -> list[RejectedRow]:
    """Single rows, the newest first."""
    with connect(settings, "ingest") as connection:
        return [RejectedRow(**row) for row in rows(connection, _ROWS, {**vars(wanted), "limit": limit})]
