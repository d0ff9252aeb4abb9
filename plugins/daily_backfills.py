"""Airflow backfills a DAG only when its timetable has times: these are the days of a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pendulum
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import AssetOrTimeSchedule
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Asset
    from airflow.sdk.definitions.asset import BaseAsset


class DailyBackfills(Timetable):
    """No run of its own; in a backfill one for each day (UTC), whose data interval is the day."""

    description = "by a backfill, one run a day"

    @property
    def summary(self) -> str:
        """What the schedule column shows."""
        return self.description

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """A run by hand is an instant."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The next day of a backfill; outside of one nothing."""
        return next_day(last_automated_data_interval, restriction) if restriction.catchup else None


def when_new(assets: Collection[Asset] | BaseAsset) -> AssetOrTimeSchedule:
    """The schedule of a DAG that starts when assets are new, and that can be backfilled day by day."""
    return AssetOrTimeSchedule(timetable=DailyBackfills(), assets=assets)


def next_day(last: DataInterval | None, restriction: TimeRestriction) -> DagRunInfo | None:
    """The day (UTC) after the last run's, or the first day that begins in the range that is asked for.

    Its run is due when the day has ended, so that Airflow leaves days that have not ended out of a backfill.
    """
    if last is not None:
        start = last.end
    elif restriction.earliest is not None:
        start = restriction.earliest.subtract(microseconds=1).in_timezone("UTC").start_of("day").add(days=1)
    else:
        return None
    if restriction.latest is not None and start > restriction.latest:
        return None
    return DagRunInfo.interval(start, start.add(days=1))


class DailyBackfillsPlugin(AirflowPlugin):
    """Makes the timetable known to Airflow."""

    name = "daily_backfills"
    timetables: ClassVar[list[Any]] = [DailyBackfills]
