"""Prove a restore: every table of the restored server against the source's at the same instant, row for row."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from psycopg import sql

from touchline.backup.programs import system_identifier
from touchline.backup.restore import restored
from touchline.backup.store import Store, open_store
from touchline.clock import live_clock
from touchline.database.engine import Connection, open_url, rows, scalar
from touchline.errors import BackupFailed, RestoreDiffers
from touchline.settings import Settings

QUIET_SECONDS: Final = 600.0
SHIPPED_SECONDS: Final = 300.0
TABLES: Final = """
select format('%I.%I', namespace.nspname, class.relname) as name, namespace.nspname as schema, class.relname as relation
from pg_class as class
inner join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.relkind = 'r' and class.relpersistence = 'p'
    and namespace.nspname <> 'information_schema' and namespace.nspname not like 'pg\\_%'
order by name
"""
# Equal for equal rows in any order; 128 bits, of two hashes of each row.
DIGEST: Final = """
select count(*) as n, concat_ws(
    ':', count(*), sum(hashtextextended(t::text, 1)::numeric), sum(hashtextextended(t::text, 2)::numeric)
) as digest
from {table} as t
"""


@dataclass(frozen=True)
class Digest:
    """Rows of a table, and the digest of all of them."""

    n_rows: int
    digest: str


@dataclass(frozen=True)
class CheckReport:
    """A restore that equals its source."""

    backup_id: str
    n_tables: int
    n_rows: int
    restore_seconds: float

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"{self.backup_id} restored in {self.restore_seconds:.0f} s: {self.n_tables} tables with "
            f"{self.n_rows:,} rows equal the source's."
        )


def check_backup(settings: Settings) -> CheckReport:
    """Restore what is in the folder of backups up to now, into a scratch server, and compare every table.

    Raises RestoreDiffers with the tables that differ, BackupUnusable or BackupFailed when it cannot be restored,
    SettingsInvalid when backups are off.
    """
    store = open_store(settings)
    name, digests = _digests_at_a_point(settings)
    _await_shipping(settings, store)
    # PostgreSQL may run as another user.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with (
            restored(settings, Path(folder) / "home", name=name) as done,
            open_url(done.settings.url("backup")) as connection,
        ):
            found = digest_tables(connection)
    if differing := differences(digests, found):
        raise RestoreDiffers(
            f"{done.report.backup_id}: {len(differing)} of {len(digests)} tables differ from the source's\n"
            + "\n".join(differing)
        )
    n_rows = sum(each.n_rows for each in digests.values())
    return CheckReport(done.report.backup_id, len(digests), n_rows, done.report.seconds)


def digest_tables(connection: Connection) -> Mapping[str, Digest]:
    """Rows and digest of each lasting table, as the connection's transaction sees them."""
    found = {}
    for table in rows(connection, TABLES):
        statement = sql.SQL(DIGEST).format(table=sql.Identifier(table["schema"], table["relation"]))
        (row,) = rows(connection, statement)  # type: ignore[arg-type]
        found[table["name"]] = Digest(row["n"], row["digest"])
    return found


def differences(source: Mapping[str, Digest], copy: Mapping[str, Digest]) -> list[str]:
    """A line for each table that is not the same in both."""
    none = Digest(0, "no table")
    pairs = {name: (source.get(name, none), copy.get(name, none)) for name in sorted({*source, *copy})}
    return [
        f"{name}: {one.n_rows:,} rows ({one.digest}) became {other.n_rows:,} ({other.digest})"
        for name, (one, other) in pairs.items()
        if one != other
    ]


def _digests_at_a_point(settings: Settings) -> tuple[str, Mapping[str, Digest]]:
    """A new restore point of the log, and the digests there.

    No transaction that writes is under way at that moment, and none begins between the snapshot and the point: what
    the snapshot sees is what a recovery up to the point has.
    """
    until = time.monotonic() + QUIET_SECONDS
    with open_url(settings.url("backup"), autocommit=True) as marking:
        while time.monotonic() < until:
            with open_url(settings.url("backup")) as reading:
                reading.execute("set transaction isolation level repeatable read, read only")
                snapshot = str(scalar(reading, "select pg_current_snapshot()::text"))
                first, last, *under_way = snapshot.split(":")
                if first == last and not any(under_way):
                    # A recovery ends at the first point of a name.
                    name = f"touchline_check_{live_clock().as_of:%Y%m%dT%H%M%S_%f}"
                    scalar(marking, "select pg_create_restore_point(%s)", (name,))
                    if scalar(marking, "select pg_current_snapshot()::text") == snapshot:
                        return name, digest_tables(reading)
            time.sleep(0.05)
    raise BackupFailed(
        f"the database was never without a writing transaction for {QUIET_SECONDS:.0f} s; check when no build runs"
    )


def _await_shipping(settings: Settings, store: Store) -> None:
    """Wait until what was written so far is in the folder. Raises BackupFailed after five minutes."""
    system = system_identifier(settings)
    with open_url(settings.url("backup")) as connection:
        now = scalar(connection, "select clock_timestamp()")
    until = time.monotonic() + SHIPPED_SECONDS
    while not store.reaches(system, now):
        if time.monotonic() > until:
            raise BackupFailed(
                f"the log does not arrive in {store.folder}: `touchline status` shows the service `wal-receiver`"
            )
        time.sleep(0.2)
