"""features.team_rating: only what is new is rated, and the outcome is always that of a fresh start."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from touchline.database.engine import connect, rows
from touchline.ratings.update import update_ratings
from touchline.settings import Settings

AS_OF = datetime(2023, 1, 1, tzinfo=UTC)
START = datetime(2022, 8, 6, 14, tzinfo=UTC)


@pytest.fixture
def core(settings: Settings) -> Settings:
    """Empty core tables with the columns that the ratings read."""
    with connect(settings, "transform") as connection:
        connection.execute(
            "create table core.match (match_id uuid primary key, kickoff_at timestamptz, tier int, "
            "home_team_id uuid, away_team_id uuid);"
            "create table core.match_result (match_id uuid primary key, known_at timestamptz, home_goals int, "
            "away_goals int, home_shots_on_target int, away_shots_on_target int)"
        )
    return settings


def put(settings: Settings, number: int, goals: tuple[int, int], shots: int | None = 4) -> None:
    """Insert or correct match `number`; six teams meet in turn."""
    kickoff = START + timedelta(days=number // 3, hours=number % 3)
    home, away = number % 6, (number * 5 + 1 + number // 6) % 6
    away = (away + 1) % 6 if away == home else away
    with connect(settings, "transform") as connection:
        connection.execute(
            "insert into core.match values (md5('m' || %s)::uuid, %s, 1, md5('t' || %s)::uuid, md5('t' || %s)::uuid) "
            "on conflict do nothing",
            (number, kickoff, home, away),
        )
        connection.execute(
            "insert into core.match_result values (md5('m' || %s)::uuid, %s, %s, %s, %s, 3) on conflict (match_id) "
            "do update set home_goals = excluded.home_goals, away_goals = excluded.away_goals",
            (number, kickoff + timedelta(hours=16), *goals, shots),
        )


def table(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "transform") as connection:
        return rows(connection, "select * from features.team_rating order by team_id, match_id")


def from_scratch(settings: Settings) -> list[dict[str, Any]]:
    update_ratings(settings, AS_OF, "test", from_scratch=True)
    return table(settings)


def test_only_new_results_are_rated(core: Settings):
    for number in range(20):
        put(core, number, (number % 4, number % 3))
    assert update_ratings(core, AS_OF, "test").n_rated == 20
    assert update_ratings(core, AS_OF, "test").from_kickoff_at is None
    put(core, 20, (1, 0))
    assert update_ratings(core, AS_OF, "test").n_rated == 1


@pytest.mark.parametrize("seed", range(4))
def test_increments_corrections_and_late_results_equal_a_fresh_start_bit_for_bit(core: Settings, seed: int):
    chance = random.Random(seed)
    numbers = list(range(60))
    chance.shuffle(numbers)
    for start in range(0, 60, 12):
        for number in numbers[start : start + 12]:
            put(core, number, (chance.randrange(5), chance.randrange(5)), chance.choice([None, 2, 7]))
        put(core, numbers[0], (chance.randrange(5), chance.randrange(5)))
        update_ratings(core, AS_OF, "test")
    incremental = table(core)
    assert len(incremental) == 120
    assert incremental == from_scratch(core)


def test_a_result_that_vanished_is_taken_back(core: Settings):
    for number in range(10):
        put(core, number, (1, 0))
    update_ratings(core, AS_OF, "test")
    with connect(core, "transform") as connection:
        connection.execute("delete from core.match_result where match_id = md5('m4')::uuid")
    update_ratings(core, AS_OF, "test")
    assert len(table(core)) == 18
    assert table(core) == from_scratch(core)
