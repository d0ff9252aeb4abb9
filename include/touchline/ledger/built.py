"""Checks of what the ledger reads: that its tables exist, and that they know nothing later than the run."""

from __future__ import annotations

from datetime import datetime

from touchline.clock import RunClock
from touchline.database.engine import Connection, scalar
from touchline.errors import FeaturesUnavailable, WarehouseNotBuilt


def require_built(connection: Connection, *tables: str) -> None:
    """Raise WarehouseNotBuilt, with the command to run, when one of the tables (`schema.name`) does not exist."""
    missing = [name for name in tables if scalar(connection, "select to_regclass(%s)", (name,)) is None]
    if missing:
        raise WarehouseNotBuilt(
            f"{', '.join(missing)} does not exist yet: run `touchline collect`, then `touchline build`"
        )


def require_the_past(built_as_of: datetime | None, clock: RunClock) -> None:
    """Raise FeaturesUnavailable when what was built as of then (UTC; None: nothing) is later than the run's `as_of`."""
    if built_as_of is not None and built_as_of > clock.as_of:
        raise FeaturesUnavailable(
            f"features were built as of {built_as_of.isoformat()} and know more than this run, which is as of "
            f"{clock.as_of.isoformat()}; run `touchline build` as of then"
        )
