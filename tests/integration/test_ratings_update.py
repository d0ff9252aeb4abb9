"""features.team_rating: only what became known is learned, and the outcome is always that of a fresh start."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from touchline.database.engine import connect, rows
from touchline.ratings import elo, update
from touchline.ratings.careers import rate_in_order
from touchline.ratings.update import update_ratings
from touchline.ratings.versions import read_versions
from touchline.settings import Settings

AS_OF = datetime(2023, 1, 1, tzinfo=UTC)
START = datetime(2022, 8, 6, 14, tzinfo=UTC)
END = datetime(9999, 12, 31, tzinfo=UTC)
PAIRS = [(home, away) for home in range(6) for away in range(6) if home != away]


STATISTICS = ("goals", "shots_on_target", "shots", "corners", "yellow_cards", "red_cards")
# Home, draw and away, decimal: the consensus before kick-off, and what it became.
PREMATCH = (2.4, 3.4, 3.0)


class Told(NamedTuple):
    """What is said on a day (after START) of match `number` between two of six teams; None goals take it back.

    `closing` is the price of a home win at the close, decimal; without it no price of the match is known.
    """

    number: int
    goals: tuple[int, int] | None
    day: int
    shots: int | None = 4
    closing: float | None = 2.2


@pytest.fixture(scope="module")
def installed(module_settings: Settings) -> Settings:
    """The tables that the ratings read, with the columns they read."""
    statistics = ", ".join(f"{side}_{name} int" for name in STATISTICS for side in ("home", "away"))
    prices = ", ".join(
        f"{kind}_{outcome} float" for kind in ("price", "pinnacle") for outcome in ("home", "draw", "away")
    )
    with connect(module_settings, "transform") as connection:
        connection.execute(
            "create table core.result_version (match_id uuid, valid_from timestamptz, valid_to timestamptz, tier int, "
            f"kickoff_at timestamptz, home_team_id uuid, away_team_id uuid, {statistics}, "
            "stage text not null default 'league', primary key (match_id, valid_from))"
        )
        connection.execute(
            f"create table core.result_price (match_id uuid, valid_from timestamptz, stage text, {prices}, "
            "primary key (match_id, valid_from, stage))"
        )
    return module_settings


def empty(settings: Settings) -> None:
    with connect(settings, "transform") as connection:
        connection.execute(
            "truncate core.result_version, core.result_price, ops.match_change, ops.layer_build; "
            "drop table if exists features.team_rating"
        )
        connection.execute(
            "insert into ops.layer_build (layer, as_of, change_id, definition, is_full, run_id) "
            "values ('core', %s, 0, 'test', true, 'test')",
            (AS_OF,),
        )


@pytest.fixture
def core(installed: Settings) -> Settings:
    empty(installed)
    return installed


def played_on(number: int) -> datetime:
    """Three kick off at the same time each day."""
    return START + timedelta(days=number // 3)


def tell(settings: Settings, told: Iterable[Told]) -> None:
    """Work what is said into the results, as a build of core does: what was said later of the match is gone."""
    with connect(settings, "transform") as connection:
        for word in told:
            kickoff_at = played_on(word.number)
            known_at = START + timedelta(days=word.day, hours=16)
            if known_at <= kickoff_at:
                continue
            home, away = PAIRS[word.number % len(PAIRS)]
            match = (word.number,)
            for table in ("result_version", "result_price"):
                connection.execute(
                    f"delete from core.{table} where match_id = md5('m' || %s)::uuid and valid_from >= %s",
                    (*match, known_at),
                )
            connection.execute(
                "update core.result_version set valid_to = %s where match_id = md5('m' || %s)::uuid and valid_to > %s",
                (known_at, *match, known_at),
            )
            if word.goals is not None:
                connection.execute(
                    "insert into core.result_version values (md5('m' || %s)::uuid, %s, %s, 1, %s, "
                    "md5('t' || %s)::uuid, md5('t' || %s)::uuid, %s, %s, %s, 3, 11, 9, 6, 4, 1, null, 0, 1)",
                    (*match, known_at, END, kickoff_at, home, away, *word.goals, word.shots),
                )
            if word.goals is not None and word.closing is not None:
                for stage, prices in (("prematch", PREMATCH), ("closing", (word.closing, *PREMATCH[1:]))):
                    connection.execute(
                        "insert into core.result_price values (md5('m' || %s)::uuid, %s, %s, %s, %s, %s)",
                        (*match, known_at, stage, *prices),
                    )
            connection.execute(
                "with core as (update ops.layer_build set change_id = change_id + 1 where layer = 'core' "
                "returning change_id) insert into ops.match_change (change_id, match_id, known_from) "
                "select change_id, md5('m' || %s)::uuid, %s from core",
                (*match, known_at),
            )


def in_time(number: int, goals: tuple[int, int] = (1, 0), **changes: Any) -> Told:
    return Told(number, goals, number // 3)._replace(**changes)


def table(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "transform") as connection:
        return rows(connection, "select * from features.team_rating order by team_id, match_id, valid_from")


def from_scratch(settings: Settings) -> list[dict[str, Any]]:
    update_ratings(settings, AS_OF, "test", is_full=True)
    return table(settings)


def test_only_new_results_are_learned(core: Settings):
    tell(core, [in_time(number, (number % 4, number % 3)) for number in range(21)])
    assert update_ratings(core, AS_OF, "test").n_learned == 21
    assert update_ratings(core, AS_OF, "test").known_from is None
    tell(core, [in_time(21)])
    report = update_ratings(core, AS_OF, "test")
    assert (report.n_learned, report.n_teams, report.n_restated) == (1, 2, 0)


def test_a_correction_holds_from_when_it_was_known(core: Settings):
    tell(core, [in_time(number) for number in range(30)])
    update_ratings(core, AS_OF, "test")
    before = table(core)
    tell(core, [Told(15, (1, 4), day=20)])
    report = update_ratings(core, AS_OF, "test")
    corrected_at = START + timedelta(days=20, hours=16)
    assert (report.n_learned, report.known_from) == (1, corrected_at.isoformat())
    assert report.n_restated > 2
    until_then = [row | {"valid_to": END} for row in table(core) if row["valid_from"] < corrected_at]
    assert until_then == before
    assert table(core) == from_scratch(core)


def test_results_that_are_all_taken_back_hold_until_then(core: Settings):
    tell(core, [in_time(number) for number in range(6)])
    update_ratings(core, AS_OF, "test")
    tell(core, [Told(number, None, day=9) for number in range(6)])
    assert update_ratings(core, AS_OF, "test").n_restated == 12
    assert {row["valid_to"] for row in table(core)} == {START + timedelta(days=9, hours=16)}


def test_a_result_is_rated_with_the_prices_known_when_it_was(core: Settings):
    tell(core, [in_time(0, closing=2.2)])
    update_ratings(core, AS_OF, "test")
    # The correction came with another closing price; what was known until then had the first.
    tell(core, [Told(0, (3, 0), day=5, closing=1.8)])
    update_ratings(core, AS_OF, "test")
    first, corrected = (row["move_last"] for row in table(core) if row["move_last"] > 0)
    assert first < corrected
    assert table(core) == from_scratch(core)


def test_a_match_without_prices_moves_all_but_what_prices_say(core: Settings):
    tell(core, [in_time(0, closing=None)])
    update_ratings(core, AS_OF, "test")
    (state, _) = table(core)
    assert state["elo"] != elo.GOALS.first_tier
    assert (state["market_rating_medium"], state["market_n_rated"], state["move_last"]) == (0, 0, 0)


def test_a_full_build_rates_in_one_pass_until_the_first_late_result(core: Settings):
    told = [in_time(number, (number % 4, number % 3)) for number in range(24)]
    told[18] = told[18]._replace(day=8)
    for word in sorted(told, key=lambda word: word.day):
        tell(core, [word])
        update_ratings(core, AS_OF, "test")
    with connect(core, "transform") as connection:
        n_in_order = rate_in_order(read_versions(connection, "true", {})).n_matches
    assert 0 < n_in_order < len(told)
    assert table(core) == from_scratch(core)


def test_other_parameters_rate_everything_again(core: Settings, monkeypatch: pytest.MonkeyPatch):
    tell(core, [in_time(number) for number in range(9)])
    update_ratings(core, AS_OF, "test")
    monkeypatch.setattr(update, "_definition", lambda: "tuned")
    assert update_ratings(core, AS_OF, "test").n_learned == 9


def test_nothing_is_half_written_when_an_update_fails(core: Settings):
    tell(core, [in_time(number) for number in range(9)])
    update_ratings(core, AS_OF, "test")
    before = table(core)
    with connect(core, "transform") as connection:
        connection.execute(
            "alter table features.team_rating add check (kickoff_at < timestamptz '2022-08-09 00:00Z') not valid"
        )
    tell(core, [Told(1, (9, 0), day=2), in_time(10, (9, 0))])
    with pytest.raises(Exception, match="check"):
        update_ratings(core, AS_OF, "test")
    assert table(core) == before
    with connect(core, "transform") as connection:
        connection.execute("alter table features.team_rating drop constraint team_rating_kickoff_at_check")
    assert update_ratings(core, AS_OF, "test").n_restated > 0
    assert table(core) == from_scratch(core)


words = st.builds(
    Told,
    number=st.integers(0, 45),
    goals=st.one_of(st.none(), st.tuples(st.integers(0, 5), st.integers(0, 5))),
    day=st.integers(0, 30),
    shots=st.one_of(st.none(), st.integers(0, 9)),
    closing=st.one_of(st.none(), st.sampled_from((1.7, 2.4, 3.1))),
)


@pytest.mark.slow
@examples(max_examples=25, deadline=None)
@given(st.integers(0, 30), st.lists(st.lists(words, min_size=1, max_size=12), min_size=1, max_size=5))
@pytest.mark.nightly  # By day the engine alone (tests/unit/test_ratings.py), and the nights of test_increments.
def test_increments_corrections_and_late_results_equal_a_fresh_start_bit_for_bit(
    installed: Settings, n_in_time: int, batches: list[list[Told]]
):
    empty(installed)
    update_ratings(installed, AS_OF, "test")
    # What came in time is one pass of a fresh start; from the first other word on it learns one by one.
    for batch in ([in_time(number) for number in range(n_in_time)], *batches):
        tell(installed, batch)
        update_ratings(installed, AS_OF, "test")
    incremental = table(installed)
    assert incremental == from_scratch(installed)
