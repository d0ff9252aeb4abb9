"""features.team_rating: only what is new is rated, and the outcome is always that of a fresh start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from touchline.database.engine import connect, rows
from touchline.ratings import engine, update
from touchline.ratings.update import update_ratings
from touchline.settings import Settings

AS_OF = datetime(2023, 1, 1, tzinfo=UTC)
START = datetime(2022, 8, 6, 14, tzinfo=UTC)
PAIRS = [(home, away) for home in range(6) for away in range(6) if home != away]


class Played(NamedTuple):
    """Match `number` between two of six teams; None goals take the result away."""

    number: int
    goals: tuple[int, int] | None
    shots: int | None = 4
    days_late: int = 0
    days_postponed: int = 0


@pytest.fixture(scope="module")
def installed(module_settings: Settings) -> Settings:
    """Core tables with the columns that the ratings read."""
    with connect(module_settings, "transform") as connection:
        connection.execute(
            "create table core.match (match_id uuid primary key, kickoff_at timestamptz, tier int, "
            "home_team_id uuid, away_team_id uuid);"
            "create table core.match_result (match_id uuid primary key, known_at timestamptz, home_goals int, "
            "away_goals int, home_shots_on_target int, away_shots_on_target int)"
        )
    return module_settings


def empty(settings: Settings) -> None:
    with connect(settings, "transform") as connection:
        connection.execute(
            "truncate core.match, core.match_result; drop table if exists features.team_rating"
        )


@pytest.fixture
def core(installed: Settings) -> Settings:
    empty(installed)
    return installed


def put(settings: Settings, games: Iterable[Played]) -> None:
    """Insert, correct, move or take back matches. Three kick off at the same time each day."""
    with connect(settings, "transform") as connection:
        for game in games:
            kickoff = START + timedelta(days=game.number // 3 + game.days_postponed)
            home, away = PAIRS[game.number % len(PAIRS)]
            connection.execute("delete from core.match where match_id = md5('m' || %s)::uuid", (game.number,))
            connection.execute(
                "delete from core.match_result where match_id = md5('m' || %s)::uuid", (game.number,)
            )
            if game.goals is None:
                continue
            connection.execute(
                "insert into core.match values "
                "(md5('m' || %s)::uuid, %s, 1, md5('t' || %s)::uuid, md5('t' || %s)::uuid)",
                (game.number, kickoff, home, away),
            )
            connection.execute(
                "insert into core.match_result values (md5('m' || %s)::uuid, %s, %s, %s, %s, 3)",
                (game.number, kickoff + timedelta(days=game.days_late, hours=16), *game.goals, game.shots),
            )


def table(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "transform") as connection:
        return rows(connection, "select * from features.team_rating order by team_id, match_id")


def from_scratch(settings: Settings) -> list[dict[str, Any]]:
    update_ratings(settings, AS_OF, "test", from_scratch=True)
    return table(settings)


def test_only_new_results_are_rated(core: Settings):
    put(core, [Played(number, (number % 4, number % 3)) for number in range(21)])
    assert update_ratings(core, AS_OF, "test").n_rated == 21
    assert update_ratings(core, AS_OF, "test").from_kickoff_at is None
    put(core, [Played(21, (1, 0))])
    report = update_ratings(core, AS_OF, "test")
    assert (report.n_rated, report.n_teams) == (1, 2)


def test_a_correction_rewinds_to_its_kickoff_only(core: Settings):
    put(core, [Played(number, (1, 0)) for number in range(30)])
    update_ratings(core, AS_OF, "test")
    put(core, [Played(15, (1, 4))])
    report = update_ratings(core, AS_OF, "test")
    assert (report.n_rated, report.from_kickoff_at) == (15, (START + timedelta(days=5)).isoformat())
    assert table(core) == from_scratch(core)


def test_results_that_all_vanish_leave_nothing(core: Settings):
    put(core, [Played(number, (1, 0)) for number in range(6)])
    update_ratings(core, AS_OF, "test")
    put(core, [Played(number, None) for number in range(6)])
    assert update_ratings(core, AS_OF, "test").n_rated == 0
    assert table(core) == []


def test_other_parameters_rate_everything_again(core: Settings, monkeypatch: pytest.MonkeyPatch):
    put(core, [Played(number, (1, 0)) for number in range(9)])
    update_ratings(core, AS_OF, "test")
    monkeypatch.setattr(update, "PARAMETERS", engine.PARAMETERS + " tuned")
    assert update_ratings(core, AS_OF, "test").n_rated == 9


def test_nothing_is_half_written_when_an_update_fails(core: Settings):
    put(core, [Played(number, (1, 0)) for number in range(9)])
    update_ratings(core, AS_OF, "test")
    before = table(core)
    with connect(core, "transform") as connection:
        connection.execute(
            "alter table features.team_rating add check (kickoff_at < timestamptz '2022-08-09 00:00Z') not valid"
        )
    put(core, [Played(1, (9, 0)), Played(10, (9, 0))])
    with pytest.raises(Exception, match="check"):
        update_ratings(core, AS_OF, "test")
    assert table(core) == before


games = st.builds(
    Played,
    number=st.integers(0, 45),
    goals=st.one_of(st.none(), st.tuples(st.integers(0, 5), st.integers(0, 5))),
    shots=st.one_of(st.none(), st.integers(0, 9)),
    days_late=st.sampled_from([0, 0, 0, 12]),
    days_postponed=st.sampled_from([0, 0, 0, 0, 4]),
)


@examples(max_examples=25, deadline=None)
@given(st.lists(st.lists(games, min_size=1, max_size=12), min_size=1, max_size=5))
def test_increments_corrections_and_late_results_equal_a_fresh_start_bit_for_bit(
    installed: Settings, batches: list[list[Played]]
):
    empty(installed)
    for batch in batches:
        put(installed, batch)
        update_ratings(installed, AS_OF, "test")
    incremental = table(installed)
    with connect(installed, "transform") as connection:
        n_results = len(rows(connection, "select match_id from core.match_result"))
    assert len(incremental) == 2 * n_results
    assert incremental == from_scratch(installed)
