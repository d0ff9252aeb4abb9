"""The season ahead: tables with their tie-breakers, what is left of a season, and how it may end."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from touchline.forecasting.final_table import Tables, final_order, places_of
from touchline.forecasting.logistic import Floats
from touchline.forecasting.scoreline import scoreline_grid
from touchline.forecasting.season import (
    Format,
    SeasonForecast,
    SeasonSoFar,
    StrengthDeviation,
    matches_left,
    simulate_season,
)

GOAL_DIFFERENCE = ("goal_difference", "goals")
SPAIN = ("head_to_head_points", "head_to_head_goal_difference", "goal_difference", "goals")
DOUBLE_ROUND = Format(4, 2, GOAL_DIFFERENCE)
A, B, C, D = range(4)
N = 4000


def season(*results: tuple[int, int, int, int], n_teams: int = 4, **changes: object) -> SeasonSoFar:
    """A season with results (home, away, goals of each), nothing announced and nobody deducted."""
    teams = tuple(f"team {place}" for place in range(n_teams))
    made = SeasonSoFar(
        teams, np.array(results, dtype=np.int64).reshape(-1, 4), (), (), np.zeros(n_teams, dtype=np.int64)
    )
    return replace(made, **changes)


def grids_of(strengths: list[float]) -> Floats:
    """Grids of every pairing of teams, with a home advantage."""
    n = len(strengths)
    rates = np.array([[0.3 + a - b, 0.1 + b - a] for a in strengths for b in strengths])
    return scoreline_grid(np.exp(rates)).reshape(n, n, 11, 11)


def order(
    tie_breakers: tuple[str, ...], *results: tuple[int, int, int, int], after: tuple[int, ...] = ()
) -> np.ndarray:
    """The orders (4, n) that a hundred seasons with the same results give."""
    tables = Tables.empty(4, 100, tie_breakers)
    for result in results:
        tables.add(*result)
    return final_order(tables, tie_breakers, np.random.default_rng(1), play_offs_after=after)


def end(
    season_: SeasonSoFar, format_: Format = DOUBLE_ROUND, deviation: float = 0.0, seed: int = 1
) -> SeasonForecast:
    return simulate_season(
        season_,
        format_,
        grids_of([0.3, 0.1, -0.1, -0.3, *[0.0] * 20][: len(season_.teams)]),
        deviation,
        N,
        [seed],
    )


# A beats B by one and loses to C by five, B beats C by one: three points each, goal differences -4, 0 and +4.
CIRCLE = ((A, B, 1, 0), (C, A, 5, 0), (B, C, 1, 0))


def test_goal_difference_parts_equal_points():
    assert (order(GOAL_DIFFERENCE, *CIRCLE)[:3] == [[C], [B], [A]]).all()


def test_goals_part_equal_goal_difference():
    found = order(GOAL_DIFFERENCE, (A, D, 1, 0), (B, D, 3, 2), (C, D, 2, 1))
    assert (found == [[B], [C], [A], [D]]).all()


def test_head_to_head_comes_before_goal_difference_where_the_rule_says_so():
    # A and B have four points each; B has the better goal difference, A has beaten it.
    results = ((A, B, 1, 0), (A, C, 0, 0), (B, C, 0, 0), (B, D, 9, 0), (C, D, 0, 0))
    assert (order(SPAIN, *results)[:2] == [[A], [B]]).all()
    assert (order(GOAL_DIFFERENCE, *results)[:2] == [[B], [A]]).all()


def test_head_to_head_counts_only_the_matches_among_all_who_are_equal():
    # A, B and C are equal on points and in their meetings; goal difference of those, 5-3, 3-3 and 3-5, parts them. What
    # A loses to D, and what the others win against it, counts for nothing.
    meetings = ((A, B, 2, 0), (B, C, 3, 1), (C, A, 2, 1))
    others = ((A, D, 0, 0), (B, D, 0, 0), (C, D, 0, 0))
    found = order(SPAIN, *meetings, *others)
    assert (found[:3] == [[A], [B], [C]]).all()


def test_wins_part_equal_points_in_belgium():
    # Three points each: A by a win, C and D by three draws.
    results = ((A, B, 1, 0), (C, D, 5, 5), (D, C, 5, 5), (C, D, 5, 5))
    assert (order(("wins", "goal_difference", "goals"), *results)[0] == A).all()
    assert (order(("goals",), *results)[0] != A).all()


def test_what_nothing_parts_is_drawn_by_lot():
    found = order(GOAL_DIFFERENCE, (A, B, 1, 1), (C, D, 0, 3))
    assert {tuple(each) for each in found[1:3].T.tolist()} == {(A, B), (B, A)}


def test_a_play_off_parts_equal_points_at_its_line_and_nowhere_else():
    results = ((A, B, 1, 0), (B, A, 1, 0), (A, C, 3, 0), (B, C, 1, 0), (C, D, 1, 0))
    assert (order(GOAL_DIFFERENCE, *results)[0] == A).all()
    champions = Counter(order(GOAL_DIFFERENCE, *results, after=(1,))[0].tolist())
    assert champions.keys() == {A, B}
    assert (order(GOAL_DIFFERENCE, *results, after=(2, 3))[0] == A).all()


@given(
    st.lists(st.tuples(st.permutations(range(4)), st.integers(0, 4), st.integers(0, 4)), max_size=20),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_order_is_that_of_a_plain_reference(played: list[tuple[list[int], int, int]], is_spain: bool):
    results = [(teams[0], teams[1], home, away) for teams, home, away in played]
    found = order(SPAIN if is_spain else GOAL_DIFFERENCE, *results)[:, 0].tolist()
    keys = [plain_key(team, results, is_spain) for team in found]
    assert keys == sorted(keys, reverse=True)


def plain_key(team: int, results: list[tuple[int, int, int, int]], is_spain: bool) -> tuple[int, ...]:
    """Points, those of the meetings, and so on, each added up match by match."""

    def sums(of: int, among: set[int]) -> tuple[int, int, int]:
        points = gap = goals = 0
        for home, away, home_goals, away_goals in results:
            for one, other, scored, conceded in (
                (home, away, home_goals, away_goals),
                (away, home, away_goals, home_goals),
            ):
                if one == of and other in among:
                    points += 3 if scored > conceded else 1 if scored == conceded else 0
                    gap, goals = gap + scored - conceded, goals + scored
        return points, gap, goals

    everybody = set(range(4))
    points, gap, goals = sums(team, everybody)
    equals = {other for other in everybody if sums(other, everybody)[0] == points}
    return (points, *(sums(team, equals)[:2] if is_spain else ()), gap, goals)


def test_what_is_left_of_a_double_round():
    left = matches_left(season((A, B, 1, 0), (B, C, 0, 0)), DOUBLE_ROUND)
    assert sorted(left.matches) == sorted(set(permutations(range(4), 2)) - {(A, B), (B, C)})
    assert not left.open_venue
    assert left.n_left(4).tolist() == [5, 4, 5, 6]


def test_a_cancelled_match_is_not_played_and_a_reversed_one_is_the_pair_s_last():
    left = matches_left(season((A, B, 1, 0), (A, B, 2, 0), cancelled=((C, D),)), DOUBLE_ROUND)
    assert {frozenset(pair) for pair in left.matches}.isdisjoint({frozenset({A, B})})
    assert (C, D) not in left.matches
    assert (D, C) in left.matches


def test_an_odd_meeting_is_at_the_ground_that_was_announced_or_open():
    three = replace(DOUBLE_ROUND, n_meetings=3)
    so_far = season((A, B, 1, 0), (B, A, 1, 0), (C, D, 0, 0), (D, C, 0, 0), announced=((B, A),))
    left = matches_left(so_far, three)
    assert left.matches.count((B, A)) == 1
    assert left.matches.count((A, B)) == 0
    assert (C, D) in left.open_venue
    assert (A, B) not in left.open_venue


def test_probabilities_of_each_place_and_of_each_team_sum_to_one():
    said = end(season((A, B, 1, 0)))
    assert said.p_place.sum(axis=0) == pytest.approx(np.ones(4))
    assert said.p_place.sum(axis=1) == pytest.approx(np.ones(4))
    assert said.p_outcome((1, 2)) == pytest.approx(said.p_place[:, :2].sum(axis=1))


def test_a_finished_season_is_certain():
    played = [(home, away, 2 if home < away else 0, 1) for home, away in permutations(range(4), 2)]
    said = end(season(*played))
    assert said.p_place == pytest.approx(np.eye(4))
    assert (
        said.expected_points.tolist()
        == said.points_low.tolist()
        == said.points_high.tolist()
        == [18, 12, 6, 0]
    )


def test_points_that_are_deducted_count():
    played = [(home, away, 2 if home < away else 0, 1) for home, away in permutations(range(4), 2)]
    said = end(season(*played, deducted=np.array([7, 0, 0, 0])))
    assert said.expected_points.tolist() == [11, 12, 6, 0]
    assert said.p_place[B, 0] == 1


def test_the_same_seed_gives_the_same_forecast_and_another_one_another():
    first, again, other = (end(season(), deviation=0.1, seed=seed) for seed in (1, 1, 2))
    assert (first.p_place == again.p_place).all()
    assert (first.expected_points == again.expected_points).all()
    assert (first.p_place != other.p_place).any()


def test_uncertain_strengths_widen_the_points_and_make_extremes_less_certain():
    sure, unsure = (end(season(), deviation=deviation) for deviation in (0.0, 0.4))
    assert (unsure.points_high - unsure.points_low >= sure.points_high - sure.points_low).all()
    assert (unsure.points_high - unsure.points_low).sum() > (sure.points_high - sure.points_low).sum()
    assert unsure.p_place[A, 0] < sure.p_place[A, 0]
    assert unsure.p_place[D, 0] > sure.p_place[D, 0]


def test_strengths_that_are_certain_give_the_grids_themselves():
    """Of one match between two teams, the points expected are those of its grid."""
    said = end(season((A, B, 0, 0), n_teams=2), replace(DOUBLE_ROUND, n_teams=2))
    grid = grids_of([0.3, 0.1])[1, 0]
    home, draw = np.tril(grid, -1).sum(), np.trace(grid)
    assert said.expected_points == pytest.approx(
        [1 + draw + 3 * (1 - home - draw), 1 + draw + 3 * home], abs=0.08
    )


def test_a_shift_in_strength_multiplies_the_rates_of_both_sides():
    """The mean over a normal shift d of 3 P(home) + P(draw), with rates exp(d) and exp(-d) times as high."""
    rates, deviation = np.array([[1.4, 1.1]]), 0.3
    grids = np.zeros((2, 2, 11, 11))
    grids[B, A] = scoreline_grid(rates)[0]
    said = simulate_season(
        season((A, B, 0, 0), n_teams=2), replace(DOUBLE_ROUND, n_teams=2), grids, deviation, 100_000, [1]
    )
    shifts = np.random.default_rng(1).normal(0, np.sqrt(2) * deviation, 20_000)
    shifted = scoreline_grid(rates * np.exp(np.column_stack([shifts, -shifts])))
    home, draw = np.tril(shifted, -1).sum(axis=(1, 2)).mean(), np.trace(shifted, axis1=1, axis2=2).mean()
    assert said.expected_points[B] - 1 == pytest.approx(3 * home + draw, abs=0.04)


def test_nobody_leaves_its_group_after_a_split():
    split = Format(4, 2, GOAL_DIFFERENCE, groups=((2, 1), (2, 1)))
    played = [(home, away, 1 if home < away else 0, 0) for home, away in permutations(range(4), 2)]
    # Less its deduction, B is in the lower group.
    so_far = season(*played, deducted=np.array([0, 8, 0, 0]))
    assert matches_left(so_far, split).pairs
    said = end(so_far, split)
    groups = said.p_place[:, :2].sum(axis=1)
    assert sorted(groups.tolist()) == [0, 0, 1, 1]


def test_after_a_split_only_the_own_group_is_met_and_then_the_season_is_over():
    split = Format(4, 2, GOAL_DIFFERENCE, groups=((2, 1), (2, 1)))
    played = [(home, away, 1 if home < away else 0, 0) for home, away in permutations(range(4), 2)]
    left = matches_left(season(*played), split)
    assert left.after_split.keys() == {(A, B), (C, D)}
    assert left.n_left(4).tolist() == [1, 1, 1, 1]
    assert not matches_left(season(*played, (B, A, 5, 0), (C, D, 0, 0)), split).pairs


def test_before_a_split_a_team_has_at_most_the_matches_of_a_group_left():
    split = Format(4, 2, GOAL_DIFFERENCE, groups=((2, 1), (2, 1)))
    assert matches_left(season(), split).n_left(4).tolist() == [7, 7, 7, 7]
    assert end(season(), split).p_place.sum(axis=0) == pytest.approx(np.ones(4))


def test_the_deviation_grows_with_the_matches_left():
    deviation = StrengthDeviation(0.01, 0.001)
    assert deviation(0) == pytest.approx(0.1)
    assert deviation(30) == pytest.approx(0.2)


def test_places_are_the_inverse_of_the_order():
    found = np.array([[2], [0], [1]])
    assert places_of(found).tolist() == [[2], [3], [1]]
