"""When to collect, against a plain reference that walks through the minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.database.engine import connect
from touchline.errors import DatabaseUnavailable
from touchline.operations import matchday
from touchline.settings import Settings

SATURDAY = datetime(2026, 3, 14, tzinfo=UTC)
KICKOFF = SATURDAY.replace(hour=15)
MINUTE = timedelta(minutes=1)

moments = st.integers(0, 7 * 24 * 60).map(lambda minutes: SATURDAY + minutes * MINUTE)


def at(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return SATURDAY + timedelta(hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("00:00", "06:00"),
        ("06:00", "12:00"),
        ("11:30", "12:00"),
        ("12:00", "12:15"),
        ("14:44", "14:45"),
        ("14:45", "18:00"),
        ("18:00", "24:00"),
    ],
)
def test_odds_are_collected_every_quarter_of_an_hour_in_the_three_hours_before_kickoff(
    after: str, expected: str
):
    windows = matchday.odds_windows([KICKOFF])
    assert matchday.next_collection(at(after), windows, matchday.ODDS_EVERY) == at(expected)


@pytest.mark.parametrize(
    ("after", "expected"),
    [("12:00", "15:00"), ("15:00", "15:10"), ("18:00", "18:10"), ("19:50", "24:00"), ("20:00", "24:00")],
)
def test_scores_are_collected_every_ten_minutes_from_kickoff_until_three_hours_after_the_match(
    after: str, expected: str
):
    windows = matchday.scores_windows([KICKOFF])
    assert matchday.next_collection(at(after), windows, matchday.SCORES_EVERY) == at(expected)


@pytest.mark.parametrize(("after", "expected"), [("12:00", "14:00"), ("14:00", "18:00"), ("18:00", "24:00")])
def test_predictions_are_looked_at_once_an_hour_before_kickoff(after: str, expected: str):
    windows = matchday.deadline_windows([KICKOFF])
    assert matchday.next_collection(at(after), windows, matchday.LOOK_EVERY) == at(expected)


def test_the_look_before_a_kickoff_at_an_odd_minute_is_a_little_late_and_sees_all_of_the_hour():
    windows = matchday.deadline_windows([at("15:03")])
    assert matchday.next_collection(at("12:00"), windows, matchday.LOOK_EVERY) == at("14:05")


@pytest.mark.parametrize(("after", "expected"), [("04:59", "05:00"), ("05:00", "29:00")])
def test_fixtures_are_planned_for_five_in_the_morning(settings: Settings, after: str, expected: str):
    assert matchday.next_planned(settings, "fixtures", at(after)) == at(expected)


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        ("14:30", "14:45:02", "14:45"), ("14:30", "14:50", "14:45"), ("14:45", "14:45:02", "18:00"),
        ("14:15", "14:20", "14:30"), ("06:00", "12:00:02", "12:00"), ("06:00", "14:50", "14:45"),
        (None, "14:45:02", "18:00"), (None, "14:35", "14:45"),
    ],
)  # fmt: skip
def test_a_collection_that_is_due_is_planned_until_it_is_made(last: str | None, now: str, expected: str):
    hour, minute, second = map(int, f"{now}:00".split(":")[:3])
    asked = at(f"{hour}:{minute}") + timedelta(seconds=second)
    made = None if last is None else at(last)
    windows = matchday.odds_windows([KICKOFF])
    assert matchday.planned_collection(made, asked, windows, matchday.ODDS_EVERY) == at(expected)
    # Nothing is due before the beginning of a DAG.
    later = asked + timedelta(hours=1)
    planned = matchday.planned_collection(made, asked, windows, matchday.ODDS_EVERY, earliest=later)
    assert planned > later


@given(after=moments, kickoffs=st.lists(moments, max_size=5), every=st.sampled_from([10, 15]))
def test_the_next_collection_is_the_first_minute_that_is_due(
    after: datetime, kickoffs: list[datetime], every: int
):
    windows = matchday.odds_windows(kickoffs) + matchday.scores_windows(kickoffs)

    def is_due(moment: datetime) -> bool:
        minutes = moment.hour * 60 + moment.minute
        return minutes % 360 == 0 or (
            minutes % every == 0 and any(start <= moment < end for start, end in windows)
        )

    moment = after + MINUTE
    while not is_due(moment):
        moment += MINUTE
    assert matchday.next_collection(after, windows, every * MINUTE) == moment
    # Once its time has come it is planned, whenever one asks, until the one after it is due.
    following = matchday.next_collection(moment, windows, every * MINUTE)
    for now in (moment, moment + timedelta(seconds=2), following - timedelta(seconds=1)):
        assert matchday.planned_collection(after, now, windows, every * MINUTE) == moment


def test_kickoffs_are_read_from_the_warehouse(settings: Settings):
    with connect(settings, "transform") as connection:
        connection.execute("create table core.match (kickoff_at timestamptz)")
        connection.cursor().executemany(
            "insert into core.match values (%s)", [(KICKOFF,), (KICKOFF,), (KICKOFF + timedelta(days=3),)]
        )
    assert matchday.kickoffs_around(settings, at("10:00")) == [KICKOFF]
    assert matchday.kickoffs_around(settings, at("21:00")) == []


def test_a_database_that_is_not_there_is_said_to_be_so_at_once(tmp_path):
    nowhere = Settings(home=tmp_path, database_url="postgresql://nobody:x@127.0.0.1:9/postgres")
    with pytest.raises(DatabaseUnavailable):
        matchday.kickoffs_around(nowhere, KICKOFF)
