"""Compaction: thin out the price ticks of closed months to about one an hour.

Of every series (match, source, bookmaker, market, line) it keeps, in each month: the first quote, the last quote of
each hour (UTC), the last before every kick-off ever announced, the last that each prediction could have used, and all
closing prices. Payloads are never touched, so dropped ticks can be parsed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from psycopg import sql

from touchline.database.engine import Connection, connect, rows
from touchline.errors import MonthNotClosed
from touchline.landing.ticks import COLUMNS, TIME_ORDER
from touchline.settings import Settings

PREFIX: Final = "odds_observation_"

# A quote stands from its known_at until the next quote of its series. A cut needs the quote standing just before it.
_KEPT = sql.SQL("""
with versions as materialized (
    select
        {columns},
        lag(known_at) over series is null as is_first,
        lead(known_at) over series as next_known_at
    from {partition}
    where not is_closing
    window series as (
        partition by fixture_key, source, bookmaker, market, line order by {time_order}
    )
),

-- Times are whole microseconds: known at or before the instant of a prediction is known before the next microsecond.
cuts as (
    select fixture_key, kickoff_at as cut_at from landing.fixture_observation
    union
    select match_id, kickoff_at from ledger.prediction
    union
    select match_id, features_as_of + interval '1 microsecond' from ledger.prediction
),

ranked as (
    select
        *,
        is_first or next_known_at is null
        or date_trunc('hour', next_known_at, 'UTC') > date_trunc('hour', known_at, 'UTC') as is_kept
    from versions
)

select {columns} from ranked where is_kept
union all
select {columns} from ranked
where not is_kept and exists (
    select from cuts
    where cuts.fixture_key = ranked.fixture_key
        and ranked.known_at < cuts.cut_at and ranked.next_known_at >= cuts.cut_at
)
union all
select {columns} from {partition} where is_closing
""")


@dataclass(frozen=True)
class CompactedMonth:
    """One monthly partition: rows before and after, equal when there was nothing to drop."""

    partition: str
    rows_before: int
    rows_after: int


@dataclass(frozen=True)
class CompactionReport:
    """What a compaction did, or would do when `is_dry_run`; months in order of time."""

    before: str
    is_dry_run: bool
    months: tuple[CompactedMonth, ...]

    @property
    def summary(self) -> str:
        """One sentence for a log."""
        before = sum(month.rows_before for month in self.months)
        after = sum(month.rows_after for month in self.months)
        would = "would drop" if self.is_dry_run else "dropped"
        return f"{len(self.months)} months before {self.before}: {would} {before - after:,} of {before:,} quotes."


def compact(
    settings: Settings, before: datetime, as_of: datetime, run_id: str, *, is_dry_run: bool = False
) -> CompactionReport:
    """Compact every monthly partition before the month of `before` (UTC), each in a transaction of its own.

    A kill leaves every month either untouched or compacted; a second run drops nothing more. Each changed month gets
    one row in ops.audit_log. Raises MonthNotClosed when `as_of` lies before the end of a month to be compacted.
    """
    limit = _month(before)
    if limit > as_of.astimezone(UTC):
        raise MonthNotClosed(
            f"{before:%Y-%m} begins after {as_of:%Y-%m-%d %H:%M} UTC, so the month before it is not over: "
            f"compact before {as_of:%Y-%m} at the latest"
        )
    with connect(settings, "owner") as connection:
        names = [name for name in _partitions(connection) if name < f"{PREFIX}{limit:%Y%m}"]
        connection.commit()
        months = []
        for name in names:
            months.append(_compact_month(connection, name, as_of, run_id, is_dry_run=is_dry_run))
            connection.commit()
    return CompactionReport(f"{limit:%Y-%m}", is_dry_run, tuple(months))


def _compact_month(
    connection: Connection, name: str, as_of: datetime, run_id: str, *, is_dry_run: bool
) -> CompactedMonth:
    partition = sql.Identifier("landing", name)
    kept = _KEPT.format(
        columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        partition=partition,
        time_order=sql.SQL(", ").join(map(sql.Identifier, TIME_ORDER)),
    )
    if is_dry_run:
        after = _count(connection, sql.SQL("({}) as kept").format(kept))
        return CompactedMonth(name, _count(connection, partition), after)
    # Writers lock the parent first, so waiting for them here cannot end in a deadlock; readers are not held up.
    connection.execute("lock table only landing.odds_observation in share row exclusive mode")
    before = _count(connection, partition)
    with connection.transaction() as savepoint:
        copy = sql.Identifier("landing", f"{name}_compacted")
        connection.execute(
            sql.SQL(
                "create table {} (like landing.odds_observation including defaults including constraints)"
            ).format(copy)
        )
        # In index order, so that all quotes of a match lie side by side.
        after = connection.execute(
            sql.SQL("insert into {} ({}) select * from ({}) as kept order by fixture_key, known_at").format(
                copy, sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), kept
            )
        ).rowcount
        if after == before:
            savepoint.force_rollback = True
            return CompactedMonth(name, before, after)
        connection.execute(sql.SQL("create index on {} (fixture_key)").format(copy))
        connection.execute(
            "select landing.swap_odds_partition(%s, %s::regclass, %s)",
            (name, f"landing.{name}_compacted", f"compacted by {run_id} as of {as_of.isoformat()}"),
        )
    connection.execute(sql.SQL("analyze {}").format(partition))
    return CompactedMonth(name, before, after)


def _partitions(connection: Connection) -> list[str]:
    found = rows(
        connection,
        "select relname from pg_inherits inner join pg_class on pg_class.oid = inhrelid "
        "where inhparent = 'landing.odds_observation'::regclass order by relname",
    )
    return [row["relname"] for row in found]


def _count(connection: Connection, table: sql.Composable) -> int:
    row = connection.execute(sql.SQL("select count(*) from {}").format(table)).fetchone()
    assert row is not None, "a count is always one row"
    return int(row[0])


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
