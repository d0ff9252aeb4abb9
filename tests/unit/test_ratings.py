"""The ratings engine against the papers' formulas, and increments against rating everything at once."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.ratings import elo, pi
from touchline.ratings.engine import Result, TeamState, rate

START = datetime(2022, 8, 6, 14, tzinfo=UTC)


def result(number: int, home: int, away: int, goals: tuple[int, int], shots: tuple[int, int] | None = (5, 4)) -> Result:
    kickoff = START + timedelta(days=number)
    return Result(
        UUID(int=1000 + number), kickoff, kickoff + timedelta(hours=16), 1, UUID(int=home), UUID(int=away), *goals,
        *(shots or (None, None)), f"hash-{number}",
    )  # fmt: skip


def test_elo_of_equals_expects_the_home_side_to_win_more_often_by_its_advantage():
    expected = elo.expected_score(1500, 1500, elo.GOALS)
    assert expected == pytest.approx(1 / (1 + 10 ** (-elo.GOALS.home_advantage / 400)))


def test_elo_points_move_from_one_side_to_the_other_and_more_for_bigger_wins():
    states: dict[UUID, TeamState] = {}
    home, away = rate([result(0, 1, 2, (3, 0))], states)
    assert home.state.elo - 1500 == pytest.approx(1500 - away.state.elo)
    narrow = elo.change(1500, 1500, 1, elo.GOALS)
    assert home.state.elo - 1500 > narrow > 0


def test_pi_rating_update_is_the_papers_example():
    # Constantinou & Fenton (2013), section 3: Manchester United (1.6 at home, 0.4 away) beat Chelsea (0.3, -1.2)
    # by four goals to one with lambda 0.1 and gamma 0.3.
    home, away = pi.update((1.6, 0.4), (0.3, -1.2), 3, pi.PiParameters(rate=0.1, carry=0.3))
    expected = (10 ** (1.6 / 3) - 1) + (10 ** (1.2 / 3) - 1)
    step = math.copysign(3 * math.log10(1 + abs(3 - expected)), 3 - expected) * 0.1
    assert home == pytest.approx((1.6 + step, 0.4 + 0.3 * step))
    assert away == pytest.approx((0.3 - 0.3 * step, -1.2 - step))


def test_a_match_without_shots_leaves_the_shot_ratings_alone():
    states: dict[UUID, TeamState] = {}
    list(rate([result(0, 1, 2, (1, 0))], states))
    before = states[UUID(int=1)]
    list(rate([result(1, 1, 2, (1, 0), shots=None)], states))
    after = states[UUID(int=1)]
    assert (after.elo_shots, after.pi_home_shots) == (before.elo_shots, before.pi_home_shots)
    assert after.elo != before.elo


def test_valid_from_is_when_the_last_of_all_results_was_known():
    late = result(0, 1, 2, (1, 0))._replace(known_at=START + timedelta(days=30))
    rows = list(rate([late, result(1, 1, 3, (1, 1))], {}))
    assert rows[2].state.valid_from == START + timedelta(days=30)
    assert rows[3].state.valid_from == START + timedelta(days=1, hours=16)


games = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 6), st.integers(0, 6)).filter(
        lambda game: game[0] != game[1]
    ),
    max_size=40,
)


@given(games, st.integers(0, 40))
def test_going_on_from_stored_states_equals_rating_everything_bit_for_bit(played: list[tuple[int, ...]], cut: int):
    results = [result(number, home, away, (h, a)) for number, (home, away, h, a) in enumerate(played)]
    everything = list(rate(results, {}))
    states: dict[UUID, TeamState] = {}
    in_parts = [*rate(results[:cut], states), *rate(results[cut:], states)]
    assert in_parts == everything
