"""The promise of every prediction: it is in the ledger an hour before kick-off."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from psycopg import RawCursor
from psycopg.rows import dict_row

from touchline.database.engine import connect, scalar
from touchline.database.queries import query
from touchline.monitoring.shortfalls import ASK_WHY
from touchline.settings import Settings

PREDICTED_BEFORE: Final = timedelta(hours=1)
# Looked at this often around the hour (operations/matchday.py).
LEEWAY: Final = timedelta(minutes=5)


def late_predictions(settings: Settings, as_of: datetime) -> list[str]:
    """A line for each match that kicks off within the hour after an instant (UTC) and has no prediction, soonest first.

    Raises DatabaseUnavailable. Before the warehouse is built no fixture is known.
    """
    until = as_of + PREDICTED_BEFORE + LEEWAY
    with connect(settings, "api") as connection, RawCursor(connection, row_factory=dict_row) as cursor:
        if scalar(connection, "select to_regclass('analytics.unpredicted')") is None:
            return []
        found = cursor.execute(query("monitoring/sql/late"), (as_of, until)).fetchall()
    return [
        f"{row['kickoff_at']:%H:%M} UTC {row['competition']} {row['home_team']} - {row['away_team']} "
        f"({row['reason'].replace('_', ' ')}); to do: {row['what_to_do'] or ASK_WHY}"
        for row in found
    ]
