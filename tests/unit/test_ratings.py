"""The ratings engine against its formulas written plainly, and increments against rating everything at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.plain_ratings import rate_plainly
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from touchline.ratings import compiled, elo, pi
from touchline.ratings.compiled import KNOWN_AFTER_OFF_SEASON, OFF_SEASON_SHRINKAGE, STATE_COLUMNS
from touchline.ratings.engine import Result, State, rate
from touchline.ratings.strength import STRENGTHS

A_DAY = 86_400_000_000


def result(
    home: str,
    away: str,
    goals: tuple[int, int],
    shots: tuple[int, int] | None = (5, 4),
    **changes: Any,
) -> Result:
    """A match of a first tier."""
    return Result(1, home, away, *goals, *(shots or (None, None)))._replace(**changes)


def named(state: State) -> dict[str, float]:
    return dict(zip(STATE_COLUMNS, state, strict=True))


def prices(before: float, last: float) -> dict[str, float]:
    """Supremacy of the home side before kick-off and at the close, in log-odds."""
    draws = {"prematch_draw": -0.3, "closing_draw": -0.3}
    return draws | {"prematch_supremacy": before, "closing_supremacy": last}


def test_elo_of_equals_without_home_advantage_moves_by_half_the_weight():
    neutral = elo.EloParameters(k0=10, exponent=1, home_advantage=0).compiled
    assert compiled.elo_change(1500, 1500, 2, neutral) == pytest.approx(15)
    assert compiled.elo_change(1500, 1500, -2, neutral) == pytest.approx(-15)
    assert compiled.elo_change(1500, 1500, 0, neutral) == 0


def test_elo_of_a_favourite_by_400_points_expects_ten_elevenths():
    neutral = elo.EloParameters(k0=10, exponent=1, home_advantage=0).compiled
    assert compiled.elo_change(1900, 1500, 1, neutral) == pytest.approx(20 / 11)


def test_pi_rating_step_worked_by_hand():
    # Expected: 10^(1.6/3) - 1 = 2.4145 goals at home and -(10^(1.2/3) - 1) = -1.5119 away, so a margin of 3.9264.
    # A margin of 3 is 0.9264 short: 3 log10(1.9264) = 0.8542, a tenth of which the home side loses.
    assert compiled.pi_step(1.6, -1.2, 3, pi.PiParameters(rate=0.1).compiled) == pytest.approx(
        -0.08542, abs=1e-5
    )


def test_points_move_from_one_side_to_the_other():
    home, away = map(named, rate([result("a", "b", (3, 0))], {}))
    assert home["elo"] - 1500 == pytest.approx(1500 - away["elo"]) != 0
    assert home["pi_home"] == pytest.approx(-away["pi_away"])
    assert home["pi_away"] == pytest.approx(pi.GOALS.carry * home["pi_home"])


def test_a_new_team_begins_lower_in_a_lower_tier():
    home, away = map(named, rate([result("a", "b", (0, 0), tier=3)], {}))
    mean = (home["elo"] + away["elo"]) / 2
    assert mean == pytest.approx(elo.GOALS.first_tier - 2 * elo.GOALS.tier_step)


def test_a_match_without_shots_leaves_the_shot_ratings_alone():
    states: dict[str, State] = {}
    rate([result("a", "b", (1, 0))], states)
    before = named(states["a"])
    rate([result("a", "b", (1, 0), shots=None)], states)
    after = named(states["a"])
    for name in ("elo_shots", "pi_home_shots", "pi_away_shots"):
        assert after[name] == before[name]
    assert after["elo"] != before["elo"]


def test_a_team_that_scores_more_than_expected_gains_attack_and_the_other_loses_defence():
    home, away = map(named, rate([result("a", "b", (4, 0))], {}))
    for speed in STRENGTHS:
        assert home[f"attack_{speed}"] > 0 > away[f"defence_{speed}"]
        assert home[f"defence_{speed}"] > 0 > away[f"attack_{speed}"]
    assert home["form_surprise_short"] == pytest.approx(-away["form_surprise_short"])


def test_form_is_a_mean_whose_weights_halve_in_as_many_matches_as_its_half_life():
    """Three draws after a win: the win has half its weight left at half-life three."""
    states: dict[str, State] = {}
    rate([result("a", "b", (1, 0))], states)
    after_win = named(states["a"])["form_goal_difference_short"]
    rate([result("a", "b", (0, 0))] * 3, states)
    assert named(states["a"])["form_goal_difference_short"] == pytest.approx(after_win / 2)


def test_a_price_that_moves_towards_a_team_is_remembered_on_its_side():
    home, away = map(named, rate([result("a", "b", (1, 0), **prices(0.2, 0.6))], {}))
    assert home["move_last"] > 0
    assert home["move_last"] == pytest.approx(-away["move_last"])
    assert home["move_at_home"] > 0 == home["move_at_away"]


def test_a_price_that_moves_further_than_prices_do_is_no_movement():
    home, away = map(named, rate([result("a", "b", (1, 0), **prices(0.2, 6.0))], {}))
    assert home["move_last"] == away["move_last"] == 0


def test_an_off_season_makes_strengths_less_sure_and_draws_them_to_the_tier():
    states: dict[str, State] = {}
    rate([result("a", "b", (4, 0))] * 30, states)
    before = named(states["a"])
    rate([result("a", "c", (1, 1), kickoff_at=46 * A_DAY)], states)
    after = named(states["a"])
    assert (before["n_rated"], after["n_rated"]) == (30, KNOWN_AFTER_OFF_SEASON + 1)
    assert after["n_career"] == 31
    assert after["attack_slow"] < before["attack_slow"] * (1 - OFF_SEASON_SHRINKAGE / 2)


score = st.integers(0, 9)
number = st.integers(0, 12)
log_odds = st.floats(-1.5, 1.5)
pairs = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=2, unique=True)


@st.composite
def seasons(draw: st.DrawFn) -> list[Result]:
    """Matches in order of kick-off, some after months without any; statistics and prices come and go."""
    games: list[Result] = []
    day = 0
    for _ in range(draw(st.integers(0, 30))):
        day += draw(st.sampled_from((0, 1, 7, 60)))
        shots = draw(st.one_of(st.none(), st.tuples(number, number)))
        game = result(*draw(pairs), draw(st.tuples(score, score)), shots, tier=draw(st.integers(1, 4)))
        known = draw(
            st.fixed_dictionaries(
                dict.fromkeys(
                    ("home_shots", "away_shots", "home_corners", "away_corners"), st.one_of(st.none(), number)
                )
                | dict.fromkeys(
                    ("home_yellow_cards", "away_red_cards"), st.one_of(st.none(), st.integers(0, 5))
                )
            )
        )
        priced = {
            f"{stage}_{name}": value
            for stage in ("prematch", "closing")
            for both in [draw(st.one_of(st.just((None, None)), st.tuples(log_odds, log_odds)))]
            for name, value in zip(("supremacy", "draw"), both, strict=True)
        }
        games.append(game._replace(kickoff_at=day * A_DAY, **known, **priced))
    return games


@pytest.mark.slow
@examples(deadline=None)
@given(seasons())
def test_the_engine_is_the_plain_formulas(games: list[Result]):
    plain = [list(state.values()) for sides in rate_plainly(games) for state in sides]
    np.testing.assert_allclose(rate(games, {}), plain, rtol=0, atol=1e-9)


@pytest.mark.slow
@examples(deadline=None)
@given(seasons(), st.integers(0, 30))
def test_going_on_from_stored_states_equals_rating_everything_bit_for_bit(games: list[Result], cut: int):
    states: dict[str, State] = {}
    assert rate(games[:cut], states) + rate(games[cut:], states) == rate(games, {})
