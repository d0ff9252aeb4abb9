"""The ratings engine: it takes results in order of kick-off and returns the state of both teams after each match."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from touchline.ratings import compiled, elo, pi, strength
from touchline.ratings.compiled import N_MATCH_COLUMNS, N_STATE_COLUMNS, Floats

# A plain tuple, because building a named one takes as long as rating.
State = tuple[float, ...]

_STRENGTHS = strength.as_array()
_ELO_FIRST = np.array([elo.GOALS.first_tier, elo.GOALS.tier_step])
_PI_STEP_DOWN = np.array([pi.GOALS.tier_step, pi.SHOTS.tier_step])
_MICROSECONDS_A_DAY = 86_400_000_000


class Result(NamedTuple):
    """A played match; statistics may be missing.

    `kickoff_at` is in microseconds since 1970. Supremacy and draw are the coordinates of touchline.overround.log_odds,
    from pre-match and from closing prices.
    """

    tier: int
    home_team_id: str
    away_team_id: str
    home_goals: int
    away_goals: int
    home_shots_on_target: int | None = None
    away_shots_on_target: int | None = None
    home_shots: int | None = None
    away_shots: int | None = None
    home_corners: int | None = None
    away_corners: int | None = None
    home_yellow_cards: int | None = None
    away_yellow_cards: int | None = None
    home_red_cards: int | None = None
    away_red_cards: int | None = None
    prematch_supremacy: float | None = None
    prematch_draw: float | None = None
    closing_supremacy: float | None = None
    closing_draw: float | None = None
    kickoff_at: int = 0


NUMBERS = (
    "tier", "home_goals", "away_goals", "home_shots_on_target", "away_shots_on_target", "home_shots", "away_shots",
    "home_corners", "away_corners", "home_yellow_cards", "away_yellow_cards", "home_red_cards", "away_red_cards",
    "prematch_supremacy", "prematch_draw", "closing_supremacy", "closing_draw",
)  # fmt: skip
assert len(NUMBERS) + 1 == N_MATCH_COLUMNS, "the day comes first, then these"


def rate(results: Iterable[Result], states: dict[str, State]) -> list[State]:
    """Rate results given in order of (kickoff_at, match_id), and update `states` by team.

    Returns the states after each match: home side, away side, home side, ... The state after a match depends only on
    the two teams' states before it and on the result. So continuing from stored states equals rating everything
    again, bit for bit.
    """
    played = list(results)
    teams = {team: place for place, team in enumerate({team for each in played for team in each[1:3]})}
    table = np.full((len(teams), N_STATE_COLUMNS), np.nan)
    for team, place in teams.items():
        if team in states:
            table[place] = states[team]
    sides = np.array([[teams[team] for team in each[1:3]] for each in played], dtype=np.int64).reshape(-1, 2)
    after = rate_arrays(_numbers(played), sides, table)
    states.update({team: tuple(table[place].tolist()) for team, place in teams.items()})
    return [tuple(row) for row in after.tolist()]


def rate_arrays(matches: Floats, sides: NDArray[np.int64], states: Floats) -> Floats:
    """Rate matches (n, N_MATCH_COLUMNS: the day of the kick-off, then `NUMBERS`; NaN where unknown).

    `sides` (n, 2) are the rows of home and away side in `states` (teams, N_STATE_COLUMNS), which is updated in place;
    a new team has NaN there. Returns the states after each match (2n, N_STATE_COLUMNS): home side, away side, ...
    """
    after = np.empty((2 * len(matches), N_STATE_COLUMNS))
    compiled.rate_matches(
        matches, np.ascontiguousarray(sides[:, 0]), np.ascontiguousarray(sides[:, 1]), states, after,
        (elo.GOALS.compiled, elo.SHOTS.compiled), (pi.GOALS.compiled, pi.SHOTS.compiled), _STRENGTHS, _ELO_FIRST,
        _PI_STEP_DOWN, pi.GOALS_PER_SHOT_ON_TARGET,
    )  # fmt: skip
    return after


def day_of(kickoff_at: int) -> float:
    """Days since 1970 (UTC) of microseconds since then."""
    return float(kickoff_at // _MICROSECONDS_A_DAY)


def _numbers(played: Sequence[Result]) -> Floats:
    places = [Result._fields.index(name) for name in NUMBERS]
    rows = [
        [day_of(each.kickoff_at), *(math.nan if each[place] is None else each[place] for place in places)]
        for each in played
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, N_MATCH_COLUMNS)
