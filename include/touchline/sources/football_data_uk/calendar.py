"""The publication times of football-data.co.uk, as polars expressions over a date column.

The files do not say when a fact became public, but the publisher's notes do: prices are collected on Friday
afternoon for weekend games and on Tuesday afternoon for midweek games, and results follow overnight. These
presumed times date the facts of files that were downloaded long after the event.
"""

from __future__ import annotations

import polars as pl

UK_ZONE = "Europe/London"
# Files before 2019/20 give no kick-off time; the customary one is used, and marked as not known.
CUSTOMARY_WEEKEND = pl.duration(hours=15)
CUSTOMARY_WEEKDAY = pl.duration(hours=19, minutes=45)
RESULT_DELAY = pl.duration(days=1, hours=6)
COLLECTION_TIME = pl.duration(hours=15)
# A price in a pre-match column was taken before kick-off, even if the match began before the collection time.
LAST_COLLECTION_BEFORE_KICKOFF = pl.duration(hours=1)
# Fixture lists are public weeks ahead.
FIXTURE_NOTICE = pl.duration(days=30)


def as_utc(local: pl.Expr) -> pl.Expr:
    """UK local wall time to UTC; in the hour that the clocks skip in spring, by the clock not yet put forward (GMT)."""
    there = local.dt.replace_time_zone(UK_ZONE, ambiguous="earliest", non_existent="null")
    return pl.coalesce(there.dt.convert_time_zone("UTC"), local.dt.replace_time_zone("UTC"))


def kickoff_at(day: pl.Expr, time: pl.Expr) -> pl.Expr:
    """Kick-off in UTC from the UK date and, where known, the UK time (`HH:MM`)."""
    weekend = day.dt.weekday() >= 6
    customary = pl.when(weekend).then(CUSTOMARY_WEEKEND).otherwise(CUSTOMARY_WEEKDAY)
    return as_utc(day.cast(pl.Datetime("us")) + pl.coalesce(time, customary))


def result_published_at(day: pl.Expr) -> pl.Expr:
    """06:00 UTC on the day after the match."""
    return (day.cast(pl.Datetime("us")) + RESULT_DELAY).dt.replace_time_zone("UTC")


def prices_collected_at(day: pl.Expr, kickoff: pl.Expr) -> pl.Expr:
    """Friday 15:00 UK for Friday to Monday, Tuesday 15:00 UK for Tuesday to Thursday; before kick-off."""
    weekday = day.dt.weekday()
    days_back = (
        pl.when(weekday.is_in([5, 6, 7])).then(weekday - 5).when(weekday == 1).then(3).otherwise(weekday - 2)
    )
    collected = as_utc((day - pl.duration(days=days_back)).cast(pl.Datetime("us")) + COLLECTION_TIME)
    return pl.min_horizontal(collected, kickoff - LAST_COLLECTION_BEFORE_KICKOFF)
