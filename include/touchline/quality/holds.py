"""Competitions that a gate holds: nothing new is predicted for them until the gate passes or a person releases them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from touchline.database.engine import Connection, connect, rows
from touchline.database.queries import query
from touchline.errors import HoldUnknown
from touchline.settings import Settings

# Gate, suite, expectation, column ('' where it has none).
Source = tuple[str, str, str, str]

_ACTIVE: Final = """
select hold.*
from ops.competition_hold as hold
left join ops.competition_release as released using (competition_hold_id)
where held_as_of <= %(as_of)s and (released_as_of is null or released_as_of > %(as_of)s)
order by competition, competition_hold_id
"""
# The expectation whose holds keep facts out, beside predictions.
_KEEPS_FACTS_OUT: Final = ("landing", "competition_in_quarantine")
_ACCEPTED: Final = """
select competition, gate, suite, expectation, column_name, row_keys
from ops.competition_hold inner join ops.competition_release using (competition_hold_id)
where kind = 'accepted' and released_as_of <= %(as_of)s and gate = %(gate)s
"""


@dataclass(frozen=True)
class Hold:
    """One expectation that holds a competition; `row_keys` are the rows that broke it. Times are UTC."""

    competition_hold_id: int
    competition: str
    gate: str
    suite: str
    expectation: str
    column_name: str
    reason: str
    row_keys: tuple[str, ...]
    run_id: str
    held_as_of: datetime

    @property
    def source(self) -> Source:
        """The expectation that holds."""
        return self.gate, self.suite, self.expectation, self.column_name


@dataclass(frozen=True)
class Breach:
    """What broke an expectation in one competition."""

    competition: str
    source: Source
    row_keys: frozenset[str]
    reason: str


def active_holds(connection: Connection, as_of: datetime) -> list[Hold]:
    """Holds in force at `as_of` (UTC), by competition."""
    found = rows(connection, _ACTIVE, {"as_of": as_of})
    return [
        Hold(
            **{**{name: row[name] for name in Hold.__dataclass_fields__}, "row_keys": tuple(row["row_keys"])}
        )
        for row in found
    ]


def not_accepted(
    connection: Connection, gate: str, breaches: Sequence[Breach], as_of: datetime
) -> list[Breach]:
    """The breaches with rows that nobody has accepted in a release."""
    accepted: dict[tuple[str, Source], set[str]] = {}
    for row in rows(connection, _ACCEPTED, {"as_of": as_of, "gate": gate}):
        source = (row["gate"], row["suite"], row["expectation"], row["column_name"])
        accepted.setdefault((row["competition"], source), set()).update(row["row_keys"])
    return [
        breach
        for breach in breaches
        if breach.row_keys - accepted.get((breach.competition, breach.source), set())
    ]


def keep_holds(
    connection: Connection, gate: str, breaches: Sequence[Breach], checked: Collection[str] | None,
    as_of: datetime, run_id: str,
) -> None:  # fmt: skip
    """Hold the broken competitions and end the holds of those that pass, in the caller's transaction.

    `checked` are the competitions that the gate has checked (None: all). Safe to repeat.
    """
    broken = {(breach.competition, breach.source): breach for breach in breaches}
    holding: set[tuple[str, Source]] = set()
    for hold in active_holds(connection, as_of):
        if hold.gate != gate or (checked is not None and hold.competition not in checked):
            continue
        breach = broken.get((hold.competition, hold.source))
        if breach is None:
            _release(connection, hold, "passed", f"gate {gate} passed", as_of, run_id)
        elif breach.row_keys <= set(hold.row_keys):
            holding.add((hold.competition, hold.source))
        else:
            _release(connection, hold, "widened", f"gate {gate} found more rows", as_of, run_id)
    for key, breach in broken.items():
        if key not in holding:
            connection.execute(
                "insert into ops.competition_hold (competition, gate, suite, expectation, column_name, reason, "
                "row_keys, run_id, held_as_of) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (breach.competition, *breach.source, breach.reason, sorted(breach.row_keys), run_id, as_of),
            )


def release(settings: Settings, competition: str, reason: str, as_of: datetime, run_id: str) -> list[Hold]:
    """Release every hold of a competition and accept the rows behind them; other rows hold it again.

    Facts that were set aside because of these rows are used from the next build on, as if they had never been.
    Raises HoldUnknown when nothing holds the competition at `as_of`.
    """
    with connect(settings, "transform") as connection:
        found = [hold for hold in active_holds(connection, as_of) if hold.competition == competition]
        if not found:
            held = sorted({hold.competition for hold in active_holds(connection, as_of)})
            raise HoldUnknown(
                f"no hold on {competition} as of {as_of.isoformat()}; held: {', '.join(held) or 'none'}; "
                "see `touchline quality holds`"
            )
        for hold in found:
            if (hold.gate, hold.column_name) == _KEEPS_FACTS_OUT:
                given = {**vars(hold), "row_keys": list(hold.row_keys), "as_of": as_of, "run_id": run_id}
                connection.execute(query("quality/sql/accept_facts"), given)
            _release(connection, hold, "accepted", reason, as_of, run_id)
    return found


def held_competitions(
    connection: Connection, as_of: datetime, without_gate: str | None = None
) -> Mapping[str, str]:
    """Competition -> why it is held at `as_of`; holds of `without_gate` do not count."""
    reasons: dict[str, str] = {}
    for hold in active_holds(connection, as_of):
        if hold.gate != without_gate:
            reasons.setdefault(hold.competition, hold.reason)
    return reasons


def _release(
    connection: Connection, hold: Hold, kind: str, reason: str, as_of: datetime, run_id: str
) -> None:
    connection.execute(
        "insert into ops.competition_release (competition_hold_id, kind, reason, run_id, released_as_of) "
        "values (%s, %s, %s, %s, %s) on conflict do nothing",
        (hold.competition_hold_id, kind, reason, run_id, as_of),
    )
