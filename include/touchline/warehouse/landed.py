"""Record the matches with facts that have landed since the last build: ops.match_change."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from touchline.database.engine import Connection, rows, scalar
from touchline.database.queries import query
from touchline.landing.seen import note_seen

# Beyond this share of all matches, or of all known facts, an incremental build takes longer than a full one.
LARGEST_SHARE: Final = 0.2


def note_changes(connection: Connection, as_of: datetime, change_id: int, built: dict[str, Any]) -> bool:
    """Record the matches with newly landed facts; False when a full build is needed instead."""
    # A fixture taken back after it was built leaves traces in too many places to follow.
    if scalar(connection, query("warehouse/sql/is_fixture_taken_back")):
        return False
    pending = rows(connection, query("warehouse/sql/pending_inputs"))
    if pending:
        observed = [each["observed_at"] for each in pending]
        parameters = {
            "payload_ids": [each["payload_id"] for each in pending],
            "known_since": [each["known_since"] for each in pending],
            "first": min(observed), "last": max(observed), "as_of": as_of, "change_id": change_id,
            "built_as_of": built["as_of"],
        }  # fmt: skip
        if scalar(connection, query("warehouse/sql/is_past_rewritten"), parameters):
            return False
        connection.execute(query("warehouse/sql/note_changed_matches"), parameters)
        _note_seen(connection, pending, as_of)
    connection.execute(query("warehouse/sql/note_set_aside"), {"change_id": change_id, "as_of": as_of})
    return not scalar(
        connection,
        query("warehouse/sql/is_much_changed"),
        {"built_change_id": built["change_id"], "share": LARGEST_SHARE},
    )


def note_everything(connection: Connection, as_of: datetime) -> None:
    """Record everything landed as seen, for a full build; no match is recorded as changed."""
    connection.execute("truncate ops.match_change")
    connection.execute("delete from ops.seen_input where consumer = 'build_core'")
    _note_seen(connection, rows(connection, query("warehouse/sql/pending_inputs")), as_of)
    connection.execute(
        "insert into ops.seen_input (consumer, kind, input_id, as_of) "
        "select 'build_core', 'quarantine', quarantined_fact_id, %s from landing.quarantined_fact",
        (as_of,),
    )


def _note_seen(connection: Connection, pending: list[dict[str, Any]], as_of: datetime) -> None:
    """Record inputs as seen. Those observed after `as_of` stay pending, because some may not be known yet."""
    done = [(each["kind"], each["input_id"]) for each in pending if each["used_from"] <= as_of]
    note_seen(connection, "build_core", done, as_of)
