"""The ratings engine against the papers' formulas written plainly, and increments against rating everything at once."""

from __future__ import annotations

from collections import defaultdict
from math import copysign, log10
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchline.ratings import elo, pi
from touchline.ratings.engine import STATE_COLUMNS, Result, State, rate


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


def test_elo_of_equals_without_home_advantage_moves_by_half_the_weight():
    neutral = elo.EloParameters(k0=10, exponent=1, home_advantage=0)
    assert elo.change(1500, 1500, 2, neutral) == pytest.approx(15)
    assert elo.change(1500, 1500, -2, neutral) == pytest.approx(-15)
    assert elo.change(1500, 1500, 0, neutral) == 0


def test_elo_of_a_favourite_by_400_points_expects_ten_elevenths():
    neutral = elo.EloParameters(k0=10, exponent=1, home_advantage=0)
    assert elo.change(1900, 1500, 1, neutral) == pytest.approx(20 / 11)


def test_pi_rating_step_worked_by_hand():
    # Expected: 10^(1.6/3) - 1 = 2.4145 goals at home and -(10^(1.2/3) - 1) = -1.5119 away, so a margin of 3.9264.
    # A margin of 3 is 0.9264 short: 3 log10(1.9264) = 0.8542, a tenth of which the home side loses.
    assert pi.step(1.6, -1.2, 3, pi.PiParameters(rate=0.1)) == pytest.approx(-0.08542, abs=1e-5)


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


score = st.integers(0, 6)
shots = st.one_of(st.none(), st.tuples(st.integers(0, 12), st.integers(0, 12)))
teams = st.lists(st.sampled_from("abcdef"), min_size=2, max_size=2, unique=True)
seasons = st.lists(st.tuples(teams, st.tuples(score, score), shots, st.integers(1, 4)), max_size=40)


def results(played: list[Any]) -> list[Result]:
    return [result(*pair, goals, shots, tier=tier) for pair, goals, shots, tier in played]


@given(seasons)
def test_the_engine_is_the_plain_formulas(played: list[Any]):
    games = results(played)
    states: dict[str, State] = {}
    rate(games, states)
    for name, expected in plain_ratings(games).items():
        assert named(states[name]) == pytest.approx(expected, abs=1e-9)


@given(seasons, st.integers(0, 40))
def test_going_on_from_stored_states_equals_rating_everything_bit_for_bit(played: list[Any], cut: int):
    games = results(played)
    states: dict[str, State] = {}
    assert rate(games[:cut], states) + rate(games[cut:], states) == rate(games, {})


def plain_ratings(games: list[Result]) -> dict[str, dict[str, float]]:
    """Elo (Hvattum & Arntzen 2010, ELOg) and pi-ratings (Constantinou & Fenton 2013), one formula a line."""
    ratings: dict[str, dict[str, float]] = defaultdict(dict)
    for game in games:
        home, away = ratings[game.home_team_id], ratings[game.away_team_id]
        margins = {"": (game.home_goals - game.away_goals, elo.GOALS, pi.GOALS)}
        if game.home_shots_on_target is not None:
            shots = game.home_shots_on_target - game.away_shots_on_target
            margins["_shots"] = (shots, elo.SHOTS, pi.SHOTS)
        for side in (home, away):
            for kind, e, p in (("", elo.GOALS, pi.GOALS), ("_shots", elo.SHOTS, pi.SHOTS)):
                side.setdefault(f"elo{kind}", e.first_tier - (game.tier - 1) * e.tier_step)
                side.setdefault(f"pi_home{kind}", -(game.tier - 1) * p.tier_step)
                side.setdefault(f"pi_away{kind}", -(game.tier - 1) * p.tier_step)
        for kind, (margin, e, p) in margins.items():
            gap = home[f"elo{kind}"] + e.home_advantage - away[f"elo{kind}"]
            expected_score = 1 / (1 + 10 ** (-gap / 400))
            actual_score = (margin > 0) + (margin == 0) / 2
            k = e.k0 * (1 + abs(margin)) ** e.exponent
            home[f"elo{kind}"] += k * (actual_score - expected_score)
            away[f"elo{kind}"] += k * (expected_score - actual_score)

            goals = margin * (pi.GOALS_PER_SHOT_ON_TARGET if kind else 1)
            expected_home = copysign(10 ** (abs(home[f"pi_home{kind}"]) / 3) - 1, home[f"pi_home{kind}"])
            expected_away = copysign(10 ** (abs(away[f"pi_away{kind}"]) / 3) - 1, away[f"pi_away{kind}"])
            error = abs(goals - (expected_home - expected_away))
            direction = 1 if goals > expected_home - expected_away else -1
            psi = 3 * log10(1 + error)
            before_home, before_away = home[f"pi_home{kind}"], away[f"pi_away{kind}"]
            home[f"pi_home{kind}"] += direction * psi * p.rate
            away[f"pi_away{kind}"] -= direction * psi * p.rate
            home[f"pi_away{kind}"] += (home[f"pi_home{kind}"] - before_home) * p.carry
            away[f"pi_home{kind}"] += (away[f"pi_away{kind}"] - before_away) * p.carry
    return ratings
