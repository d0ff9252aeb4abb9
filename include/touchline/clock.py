"""The run clock: the one place where the wall clock is read, at the edge of the system.

A run is either *live* (its `as_of` is the present) or *virtual* (its `as_of` was given, or comes from the
simulated world). Everything below the command line and the DAGs takes `as_of` as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from touchline.errors import SettingsInvalid

ClockMode = Literal["live", "virtual"]


@dataclass(frozen=True)
class RunClock:
    """The instant a run knows everything up to, in UTC, and whether it is the present."""

    as_of: datetime
    mode: ClockMode

    def now(self) -> datetime:
        """When something is observed now, in UTC: time goes on during a live run, a virtual clock stands still."""
        return live_clock().as_of if self.mode == "live" else self.as_of


def live_clock() -> RunClock:
    """The present, in UTC."""
    return RunClock(datetime.now(UTC), "live")


def virtual_clock(as_of: datetime) -> RunClock:
    """A given instant; a naive `as_of` is refused with `ValueError`."""
    if as_of.tzinfo is None:
        raise ValueError(f"as_of must carry a time zone, got {as_of!r}")
    return RunClock(as_of.astimezone(UTC), "virtual")


def parse_as_of(text: str) -> datetime:
    """Read `2023-03-10` (midnight UTC) or `2023-03-10T18:00Z` into an aware UTC datetime.

    Raises SettingsInvalid for anything else.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    # The first and the last hours of the calendar have no UTC in some time zones.
    except (ValueError, OverflowError) as error:
        raise SettingsInvalid(
            f"{text!r} is not a date or time: write 2023-03-10 or 2023-03-10T18:00Z"
        ) from error
