"""Timetables that follow the fixtures: collect often around kick-offs, every six hours otherwise."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pendulum
import psycopg
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from daily_backfills import next_day
from touchline.clock import live_clock
from touchline.errors import TouchlineError
from touchline.operations import matchday
from touchline.settings import read_settings

log = logging.getLogger(__name__)


class _MatchdayTimetable(Timetable):
    """Runs that are instants, chosen from the kick-offs known when the next one is planned."""

    every: ClassVar[timedelta]

    @property
    def summary(self) -> str:
        """What the schedule column shows."""
        return self.description

    @classmethod
    def windows(cls, kickoffs: list[datetime]) -> list[matchday.Window]:
        """When to collect every `every`."""
        raise TypeError(f"{cls.__name__} has no windows")

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """A run by hand is an instant too."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The run that is due, the latest one where several were missed, or else the next.

        A backfill asks for the past: it gets one run a day, for the matches of that day.
        """
        if restriction.catchup:
            return next_day(last_automated_data_interval, restriction)
        last = None if last_automated_data_interval is None else last_automated_data_interval.end
        now, earliest = live_clock().as_of, _plain(restriction.earliest)
        windows = self.windows(_kickoffs_around(max(now, earliest or now)))
        moment = pendulum.instance(
            matchday.planned_collection(_plain(last), now, windows, self.every, earliest)
        )
        if restriction.latest is not None and moment > restriction.latest:
            return None
        return DagRunInfo.exact(moment)


class OddsTimetable(_MatchdayTimetable):
    """Every six hours; every 15 minutes in the last three hours before a kick-off."""

    description = "every 6 h; every 15 min in the 3 h before a kick-off"
    every = matchday.ODDS_EVERY

    @classmethod
    def windows(cls, kickoffs: list[datetime]) -> list[matchday.Window]:
        """The hours before each kick-off."""
        return matchday.odds_windows(kickoffs)


class ScoresTimetable(_MatchdayTimetable):
    """Every six hours; every 10 minutes while matches are on and for three hours after."""

    description = "every 6 h; every 10 min while matches are on and 3 h after"
    every = matchday.SCORES_EVERY

    @classmethod
    def windows(cls, kickoffs: list[datetime]) -> list[matchday.Window]:
        """Each match and the hours after it."""
        return matchday.scores_windows(kickoffs)


class KickoffTimetable(_MatchdayTimetable):
    """Every six hours, and an hour before every kick-off, when its predictions are due."""

    description = "every 6 h; an hour before each kick-off"
    every = matchday.LOOK_EVERY

    @classmethod
    def windows(cls, kickoffs: list[datetime]) -> list[matchday.Window]:
        """The instants at which predictions are due."""
        return matchday.deadline_windows(kickoffs)


class MatchdayPlugin(AirflowPlugin):
    """Makes the timetables known to Airflow."""

    name = "matchday_timetable"
    timetables: ClassVar[list[Any]] = [OddsTimetable, ScoresTimetable, KickoffTimetable]


def _plain(moment: pendulum.DateTime | None) -> datetime | None:
    """The same instant without pendulum, whose durations do not divide by the standard library's."""
    return None if moment is None else datetime.fromtimestamp(moment.timestamp(), UTC)


def _kickoffs_around(moment: datetime) -> list[datetime]:
    try:
        return matchday.kickoffs_around(read_settings(), moment)
    # Scheduling goes on at its slow rhythm while the warehouse is not built, or not there.
    except (TouchlineError, psycopg.Error) as error:
        log.info("no kick-offs to plan by (%s): collecting every six hours", type(error).__name__)
        return []
