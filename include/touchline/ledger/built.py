"""A check that the tables which the ledger reads exist."""

from __future__ import annotations

from touchline.database.engine import Connection, scalar
from touchline.errors import WarehouseNotBuilt


def require_built(connection: Connection, *tables: str) -> None:
    """Raise WarehouseNotBuilt, with the command to run, when one of the tables (`schema.name`) does not exist."""
    missing = [name for name in tables if scalar(connection, "select to_regclass(%s)", (name,)) is None]
    if missing:
        raise WarehouseNotBuilt(
            f"{', '.join(missing)} does not exist yet: run `touchline collect`, then `touchline build`"
        )
