"""When to collect: every six hours, and often around kick-offs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from touchline.database.engine import open_url, rows, scalar
from touchline.monitoring.late import LEEWAY, PREDICTED_BEFORE
from touchline.settings import Settings
from touchline.sources.kinds import Kind

RHYTHM = timedelta(hours=6)
# Of the day, UTC.
FIXTURES_AT = timedelta(hours=5)
ODDS_EVERY = timedelta(minutes=15)
ODDS_BEFORE_KICKOFF = timedelta(hours=3)
SCORES_EVERY = timedelta(minutes=10)
# The promise of monitoring/late.py is looked at once for each kick-off, within these minutes.
LOOK_EVERY = LEEWAY
MATCH_LASTS = timedelta(hours=2)
SCORES_AFTER_MATCH = timedelta(hours=3)
# Kick-offs further away than this cannot decide the next collection.
LOOK_AHEAD = RHYTHM + ODDS_BEFORE_KICKOFF
LOOK_BACK = MATCH_LASTS + SCORES_AFTER_MATCH
ANSWER_MILLISECONDS = 2000

Window = tuple[datetime, datetime]


def odds_windows(kickoffs: Iterable[datetime]) -> list[Window]:
    """From three hours before each kick-off (UTC) to the kick-off: prices move fastest, and then close."""
    return [(kickoff - ODDS_BEFORE_KICKOFF, kickoff) for kickoff in kickoffs]


def scores_windows(kickoffs: Iterable[datetime]) -> list[Window]:
    """From each kick-off (UTC) until three hours after the match."""
    return [(kickoff, kickoff + LOOK_BACK) for kickoff in kickoffs]


def deadline_windows(kickoffs: Iterable[datetime]) -> list[Window]:
    """The minutes after the instant at which predictions of each kick-off (UTC) are due: one look falls into them."""
    return [(kickoff - PREDICTED_BEFORE, kickoff - PREDICTED_BEFORE + LOOK_EVERY) for kickoff in kickoffs]


def next_planned(settings: Settings, kind: Kind, after: datetime) -> datetime:
    """When a kind of facts is collected next after an instant (UTC). Raises DatabaseUnavailable."""
    if kind == "fixtures":
        return _next_mark(after - FIXTURES_AT, timedelta(days=1)) + FIXTURES_AT
    windows, every = (odds_windows, ODDS_EVERY) if kind == "odds" else (scores_windows, SCORES_EVERY)
    return next_collection(after, windows(kickoffs_around(settings, after)), every)


def planned_collection(
    last: datetime | None, now: datetime, windows: Sequence[Window], every: timedelta,
    earliest: datetime | None = None,
) -> datetime:  # fmt: skip
    """The collection to plan at `now` when the one of `last` was the last (all UTC).

    That is the latest one that is due and came after `last`, however often the question is asked before it is made, as
    of Airflow's own CronTriggerTimetable; else the next. Nothing is due before `earliest`.
    """
    due = _last_collection(now, windows, every)
    if last is not None and due > last and (earliest is None or due >= earliest):
        return due
    return next_collection(max(moment for moment in (now, last, earliest) if moment), windows, every)


def next_collection(after: datetime, windows: Sequence[Window], every: timedelta) -> datetime:
    """The first instant later than `after` (UTC) at which to collect.

    That is the next of the six-hour marks of the day, or the next mark of `every` that lies in a window; a
    window includes its beginning and not its end. `every` divides a day.
    """
    candidates = [_next_mark(after, RHYTHM)]
    for start, end in windows:
        mark = _next_mark(max(after, start - timedelta(microseconds=1)), every)
        if mark < end:
            candidates.append(mark)
    return min(candidates)


def _last_collection(until: datetime, windows: Sequence[Window], every: timedelta) -> datetime:
    """The last instant not later than `until` at which to collect; see `next_collection`."""
    candidates = [_last_mark(until, RHYTHM)]
    for start, end in windows:
        mark = _last_mark(min(until, end - timedelta(microseconds=1)), every)
        if mark >= start:
            candidates.append(mark)
    return max(candidates)


def kickoffs_around(settings: Settings, moment: datetime) -> list[datetime]:
    """Kick-offs (UTC) near enough to `moment` to decide when to collect next.

    Asked while Airflow schedules, so an answer must come at once; raises DatabaseUnavailable when none does. Before the
    warehouse is built there are none.
    """
    options = f"options=-c%20statement_timeout%3D{ANSWER_MILLISECONDS}&connect_timeout=2"
    with open_url(f"{settings.url('api')}?{options}") as connection:
        if scalar(connection, "select to_regclass('core.match')") is None:
            return []
        found = rows(
            connection,
            "select distinct kickoff_at from core.match where kickoff_at between %s and %s",
            (moment - LOOK_BACK, moment + LOOK_AHEAD),
        )
    return [row["kickoff_at"] for row in found]


def _next_mark(after: datetime, every: timedelta) -> datetime:
    return _last_mark(after, every) + every


def _last_mark(until: datetime, every: timedelta) -> datetime:
    midnight = until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (until - midnight) // every * every
