"""The timetables as Airflow's scheduler asks them."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from daily_backfills import DailyBackfills, when_new
from matchday_timetable import KickoffTimetable, OddsTimetable, ScoresTimetable
from touchline.clock import live_clock
from touchline.database.engine import connect
from touchline.operations import matchday
from touchline.settings import Settings
from touchline_assets import LANDING_ODDS

WHENEVER = TimeRestriction(earliest=None, latest=None, catchup=False)


@pytest.fixture
def warehouse(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings


def next_run(
    timetable: OddsTimetable | ScoresTimetable | KickoffTimetable, after: pendulum.DateTime | None = None
) -> DagRunInfo | None:
    last = None if after is None else DataInterval.exact(after)
    return timetable.next_dagrun_info(last_automated_data_interval=last, restriction=WHENEVER)


def kick_off(settings: Settings, moment: pendulum.DateTime) -> None:
    with connect(settings, "transform") as connection:
        connection.execute("create table core.match as select %s::timestamptz as kickoff_at", (moment,))


def test_without_a_warehouse_the_rhythm_is_six_hours(warehouse: Settings):
    found = next_run(OddsTimetable())
    assert found is not None
    assert (found.run_after.hour % 6, found.run_after.minute) == (0, 0)


def test_without_a_database_the_rhythm_is_six_hours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TOUCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("TOUCHLINE_DATABASE_URL", "postgresql://nobody:x@127.0.0.1:9/postgres")
    found = next_run(ScoresTimetable())
    assert found is not None
    assert found.run_after.hour % 6 == 0


def test_before_a_kickoff_odds_are_collected_within_a_quarter_of_an_hour(warehouse: Settings):
    now = pendulum.instance(live_clock().as_of)
    kick_off(warehouse, now.add(hours=2))
    found = next_run(OddsTimetable())
    assert found is not None
    assert now < found.run_after <= now.add(minutes=16)


def test_during_a_match_scores_are_collected_within_ten_minutes(warehouse: Settings):
    now = pendulum.instance(live_clock().as_of)
    kick_off(warehouse, now.subtract(hours=1))
    found = next_run(ScoresTimetable())
    assert found is not None
    assert now < found.run_after <= now.add(minutes=11)
    after = next_run(ScoresTimetable(), after=found.run_after)
    assert after is not None
    assert after.run_after - found.run_after == timedelta(minutes=10)


def test_predictions_are_looked_at_an_hour_before_a_kickoff(warehouse: Settings):
    now = live_clock().as_of
    soon = now + timedelta(minutes=10)
    due = soon.replace(minute=soon.minute // 5 * 5, second=0, microsecond=0)
    kick_off(warehouse, pendulum.instance(due + timedelta(hours=1)))
    found = next_run(KickoffTimetable(), after=pendulum.instance(now))
    assert found is not None
    assert found.run_after == min(due, matchday.next_collection(now, [], matchday.LOOK_EVERY))


def test_of_missed_runs_the_last_is_made_up_for(warehouse: Settings):
    before = live_clock().as_of
    found = next_run(OddsTimetable(), after=pendulum.datetime(2020, 1, 1))
    assert found is not None
    assert before - timedelta(hours=6) < found.run_after <= live_clock().as_of
    after = next_run(OddsTimetable(), after=found.run_after)
    assert after is not None
    assert after.run_after > before


def test_a_run_that_is_due_is_planned_however_often_it_is_asked_for(warehouse: Settings):
    now = pendulum.instance(live_clock().as_of)
    kick_off(warehouse, now.subtract(hours=1))
    last = now.subtract(minutes=25)
    found = [next_run(ScoresTimetable(), after=last) for _ in range(2)]
    assert all(each is not None and last < each.run_after <= live_clock().as_of for each in found)


def test_no_run_comes_after_the_end_of_a_dag(warehouse: Settings):
    now = pendulum.instance(live_clock().as_of)
    ended = TimeRestriction(earliest=now.subtract(days=2), latest=now.subtract(days=1), catchup=False)
    assert OddsTimetable().next_dagrun_info(last_automated_data_interval=None, restriction=ended) is None


@pytest.mark.parametrize("timetable", [OddsTimetable(), DailyBackfills()])
def test_a_backfill_gets_one_run_a_day_that_is_due_when_the_day_has_ended(timetable: Timetable):
    asked = TimeRestriction(pendulum.datetime(2023, 3, 10), pendulum.datetime(2023, 3, 12, 20), catchup=True)
    found, last = [], None
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=asked):
        found.append((info.logical_date, info.run_after))
        last = info.data_interval
    days = [pendulum.datetime(2023, 3, day) for day in (10, 11, 12, 13)]
    assert found == list(itertools.pairwise(days))


def test_a_backfill_that_begins_within_a_day_begins_with_the_next():
    asked = TimeRestriction(pendulum.datetime(2023, 3, 10, 1), pendulum.datetime(2023, 3, 11), catchup=True)
    info = DailyBackfills().next_dagrun_info(last_automated_data_interval=None, restriction=asked)
    assert info is not None
    assert info.logical_date == pendulum.datetime(2023, 3, 11)


def test_without_a_backfill_a_dag_that_waits_for_assets_has_no_times():
    assert DailyBackfills().next_dagrun_info(last_automated_data_interval=None, restriction=WHENEVER) is None


def test_a_run_by_hand_is_an_instant():
    now = pendulum.now("UTC")
    assert OddsTimetable().infer_manual_data_interval(run_after=now) == DataInterval.exact(now)


@pytest.mark.parametrize(
    "timetable", [OddsTimetable(), ScoresTimetable(), KickoffTimetable(), when_new([LANDING_ODDS])]
)
def test_a_timetable_survives_serialization_and_says_when_it_runs(timetable: Timetable):
    again = decode_timetable(encode_timetable(timetable))
    assert again.periodic
    assert "Timetable" not in again.summary
    assert re.search(
        r"every 6 h; (every 1[05] min|an hour before)|^Asset or by a backfill, one run a day$", again.summary
    )
    assert encode_timetable(again) == encode_timetable(timetable)
