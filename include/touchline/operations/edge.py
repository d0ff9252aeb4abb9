"""The edge of the system, where a run learns what time it is."""

from __future__ import annotations

from datetime import datetime

from touchline.clock import RunClock, live_clock, virtual_clock
from touchline.sandbox import read_clock
from touchline.settings import Settings


def run_clock(settings: Settings, as_of: datetime | None = None) -> RunClock:
    """The clock of a run: the `as_of` (UTC) that the run before passed on, or else the present of these settings.

    That present is `settings.as_of` if given, the simulated world's clock (the running sandbox is asked; raises
    SourceUnavailable when it does not answer), or the wall clock.
    """
    is_live = settings.as_of is None and not settings.is_simulated
    if as_of is not None:
        return RunClock(as_of, "live" if is_live else "virtual")
    if settings.as_of is not None:
        return virtual_clock(settings.as_of)
    if settings.is_simulated:
        return virtual_clock(read_clock(settings.sandbox_address))
    return live_clock()
