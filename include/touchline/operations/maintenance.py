"""Declared maintenance: while it lasts nobody is alerted, neither by Alertmanager nor by the DAGs.

`ops.maintenance` says when it is; Alertmanager's silence only follows, and is made again where it is missing. It is
by the wall clock: people are at work.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from touchline.database.engine import Connection, connect, rows
from touchline.errors import MaintenanceInvalid
from touchline.operations import alertmanager
from touchline.operations.status import ALERTMANAGER
from touchline.settings import Settings
from touchline.supervision.programs import read_program

# Of two operators at once, one declares.
_LOCK = "select pg_advisory_xact_lock(hashtext('maintenance'))"
_DECLARE = """
insert into ops.maintenance (reason, declared_by, starts_at, ends_at)
values (%(reason)s, %(declared_by)s, %(starts_at)s, %(ends_at)s)
"""
_END = """
insert into ops.maintenance_end (maintenance_id, ended_by, ended_at) values (%(id)s, %(ended_by)s, %(ended_at)s)
"""
_LAST = "select * from ops.maintenance_window order by maintenance_id desc limit %(limit)s"
_CURRENT = "select * from ops.maintenance_window where starts_at <= %(now)s and ends_at > %(now)s"


@dataclass(frozen=True)
class Maintenance:
    """One maintenance; `ends_at` is when it really ends, `ended_by` who ended it before its time. Times are UTC."""

    maintenance_id: int
    reason: str
    declared_by: str
    starts_at: datetime
    ends_at: datetime
    ended_by: str | None


def declare(settings: Settings, reason: str, who: str, now: datetime, until: datetime) -> Maintenance:
    """Declare a maintenance from `now` to `until` (UTC). Raises MaintenanceInvalid when one is in force."""
    with connect(settings, "owner") as connection:
        connection.execute(_LOCK)
        if (found := _current(connection, now)) is not None:
            raise MaintenanceInvalid(
                f"{found.declared_by} has declared a maintenance until {found.ends_at:%Y-%m-%d %H:%M} UTC "
                f"({found.reason}): end it first with `touchline maintenance end`"
            )
        connection.execute(
            _DECLARE, {"reason": reason, "declared_by": who, "starts_at": now, "ends_at": until}
        )
        declared = _current(connection, now)
        assert declared is not None, "it was written in this transaction"
        return declared


def end(settings: Settings, who: str, now: datetime) -> Maintenance:
    """End the maintenance in force at `now` (UTC). Raises MaintenanceInvalid when there is none."""
    with connect(settings, "owner") as connection:
        connection.execute(_LOCK)
        if (found := _current(connection, now)) is None:
            raise MaintenanceInvalid(
                "no maintenance is in force: `touchline maintenance` shows the last ones"
            )
        connection.execute(_END, {"id": found.maintenance_id, "ended_by": who, "ended_at": now})
        return _last(connection, 1)[0]


def current(settings: Settings, now: datetime) -> Maintenance | None:
    """The maintenance in force at an instant (UTC)."""
    with connect(settings, "ingest") as connection:
        return _current(connection, now)


def last(settings: Settings, limit: int) -> list[Maintenance]:
    """The last ones, newest first."""
    with connect(settings, "ingest") as connection:
        return _last(connection, limit)


def tell_alertmanager(settings: Settings, now: datetime) -> bool:
    """Make Alertmanager's silences of ours those of the maintenance in force at `now` (UTC): one, or none.

    Safe to repeat. Returns whether alerts are silenced; False where none was started, and none is elsewhere. Raises
    ServiceFailed when Alertmanager does not answer.
    """
    if settings.alertmanager_url is None and read_program(settings.home, ALERTMANAGER) is None:
        return False
    address, found = settings.alertmanager_address, current(settings, now)
    comment = None if found is None else f"{_mark(settings)}{found.maintenance_id}: {found.reason}"
    is_silenced = False
    for silence in alertmanager.silences(address):
        if silence["comment"] == comment:
            is_silenced = True
        elif silence["comment"].startswith(_mark(settings)):
            alertmanager.end_silence(address, silence["id"])
    if found is not None and comment is not None and not is_silenced:
        alertmanager.silence_everything(address, found.ends_at, found.declared_by, comment)
    return found is not None


def _mark(settings: Settings) -> str:
    """How the comment of a silence begins that is ours."""
    return f"{settings.warehouse_database}: maintenance "


def _current(connection: Connection, now: datetime) -> Maintenance | None:
    return next((_maintenance(row) for row in rows(connection, _CURRENT, {"now": now})), None)


def _last(connection: Connection, limit: int) -> list[Maintenance]:
    return [_maintenance(row) for row in rows(connection, _LAST, {"limit": limit})]


def _maintenance(row: dict[str, Any]) -> Maintenance:
    return Maintenance(**row)
