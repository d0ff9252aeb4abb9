"""Profiles as a command reads and writes them; the API does it with the same SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import RawCursor, errors
from psycopg.rows import dict_row
from pydantic import ValidationError

from touchline.accounts.profiles import Profile, Stored, objections, stored_profile
from touchline.database.engine import Connection, rows
from touchline.database.queries import query
from touchline.errors import ProfileInvalid, WarehouseNotBuilt


def read_profile(connection: Connection, prefix: str) -> Stored:
    """The profile of a key, or the one that every key begins with; needs the rights of `access`."""
    with RawCursor(connection, row_factory=dict_row) as cursor:
        return stored_profile(cursor.execute(query("accounts/sql/profile"), (prefix,)).fetchone())


def changed_profile(profile: Profile, changes: Mapping[str, Any], alerts: Mapping[str, Any]) -> Profile:
    """A profile with other values, where they are given.

    Raises ProfileInvalid for a value that no profile can have.
    """
    values = profile.model_dump()
    try:
        return Profile.model_validate({**values, **changes, "alerts": {**values["alerts"], **alerts}})
    except ValidationError as error:
        raise ProfileInvalid(
            "\n".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}, not {problem['input']!r}"
                for problem in error.errors()
            )
        ) from error


def write_profile(
    connection: Connection, reader: Connection, prefix: str, profile: Profile, at: datetime
) -> Stored:
    """Replace the profile of a key, with the rights of `access`; `reader` has those of `api`.

    Raises ProfileInvalid, with everything in it that is unknown, and WarehouseNotBuilt.
    """
    try:
        competitions = [
            row["competition"] for row in rows(reader, "select competition from core.competition")
        ]
        teams = [row["name"] for row in rows(reader, query("accounts/sql/team_names"))]
    except errors.UndefinedTable as error:
        raise WarehouseNotBuilt(
            "which competitions and teams there are is known once the warehouse is built: run `touchline build`"
        ) from error
    if found := objections(profile, competitions, teams):
        raise ProfileInvalid("\n".join(each.told for each in found))
    with RawCursor(connection, row_factory=dict_row) as cursor:
        values = (prefix, *profile.row(), at)
        return stored_profile(cursor.execute(query("accounts/sql/write_profile"), values).fetchone())
