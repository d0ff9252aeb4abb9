"""The moments of a replay: every morning, and whenever production's next collection would have found something new."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from touchline.operations import matchday
from touchline.replay.season import DAY_BEGINS
from touchline.settings import Settings

INSTANT = timedelta(microseconds=1)


class Changing(Protocol):
    """A source that knows when it will tell something else."""

    def next_change(self, after: datetime) -> datetime | None:
        """The first instant later than `after` (UTC) at which it does; None when it will not."""


def next_moment(settings: Settings, source: Changing, after: datetime, *, has_failed: bool) -> datetime:
    """The moment (UTC) that follows the moment `after`, whose collections got everything, or have failed in part.

    Between two mornings nothing is collected before the source tells something else; then at the time at which the
    timetables of `operations.matchday` would have looked next. The collections left out would have found nothing. What
    has failed is asked for again the next time that they would have looked.
    """
    morning = next_morning(after)
    change = source.next_change(after)
    since = after if has_failed or change is None else change - INSTANT
    if since >= morning or (change is None and not has_failed):
        return morning
    kickoffs = matchday.kickoffs_around(settings, since)
    looks = (
        matchday.next_collection(since, matchday.odds_windows(kickoffs), matchday.ODDS_EVERY),
        matchday.next_collection(since, matchday.scores_windows(kickoffs), matchday.SCORES_EVERY),
    )
    return min(morning, *looks)


def next_morning(after: datetime) -> datetime:
    """The first morning (UTC) later than an instant."""
    morning = datetime.combine(after.date(), DAY_BEGINS)
    return morning if morning > after else morning + timedelta(days=1)
