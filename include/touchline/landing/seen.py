"""Which inputs from landing each step has read: ops.seen_input."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from touchline.database.engine import Connection

# A step that goes back in time has seen the input as of that earlier instant.
_SEEN: Final = """
insert into ops.seen_input (consumer, kind, input_id, as_of)
select %(consumer)s, kind, input_id, %(as_of)s
from unnest(%(kinds)s::text[], %(ids)s::bigint[]) as given (kind, input_id)
on conflict (consumer, kind, input_id) do update
set as_of = excluded.as_of, seen_at = excluded.seen_at
where seen_input.as_of > excluded.as_of
"""


def note_seen(
    connection: Connection, consumer: str, inputs: Sequence[tuple[str, int]], as_of: datetime
) -> None:
    """Record that a step (`consumer`) has read these inputs of landing.input, (kind, id), as of an instant (UTC)."""
    kinds, ids = [kind for kind, _ in inputs], [input_id for _, input_id in inputs]
    connection.execute(_SEEN, {"consumer": consumer, "as_of": as_of, "kinds": kinds, "ids": ids})
