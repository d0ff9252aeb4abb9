"""Markets from scoreline grids. All markets of a match come from one grid, so no two contradict each other.

Grids are (n, size, size), home goals down and away goals across, as in `scoreline`. NaN grids give NaN markets.

A bet on a line settles in five ways, always in this order: won, half won, stake back, half lost, lost. Quarter
lines split the stake between the two lines beside them, hence the halves. The other side of a bet is the same
settlement read backwards: `settlement[..., ::-1]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from touchline.forecasting.logistic import Floats, Ints

SETTLEMENTS = ("won", "half_won", "stake_back", "half_lost", "lost")
TOTAL_LINES = tuple(line / 4 for line in range(2, 27))
TEAM_TOTAL_LINES = (0.5, 1.5, 2.5, 3.5, 4.5)
HANDICAP_LINES = tuple(line / 4 for line in range(-12, 13))


@dataclass(frozen=True)
class Markets:
    """Probabilities of every market of n matches.

    `match_result` (n, 3) home, draw, away; `double_chance` (n, 3) home or draw, home or away, draw or away;
    `draw_no_bet` (n, 2) home, away, given that it is not a draw; `both_to_score` (n, 2) yes, no;
    `expected_goals` (n, 2) home, away. Settlements (n, lines, 5): `total_goals` of over at `TOTAL_LINES`;
    `home_goals` and `away_goals` of over at `TEAM_TOTAL_LINES`; `handicap` of the home side, to whose goals the
    line of `HANDICAP_LINES` is added.
    """

    match_result: Floats
    double_chance: Floats
    draw_no_bet: Floats
    both_to_score: Floats
    expected_goals: Floats
    total_goals: Floats
    home_goals: Floats
    away_goals: Floats
    handicap: Floats


@dataclass(frozen=True)
class Scorelines:
    """The k most probable scorelines of n matches, the most probable first; each (n, k)."""

    home_goals: Ints
    away_goals: Ints
    probabilities: Floats


def markets_of(grids: Floats) -> Markets:
    """Every market of grids (n, size, size)."""
    size = grids.shape[1]
    home_goals, away_goals = grids.sum(axis=2), grids.sum(axis=1)
    margins = _gathered(grids, _margin_cells(size))
    home, draw, away = (margins[:, part].sum(axis=1) for part in _win_draw_loss(size))
    decided = home + away
    neither = home_goals[:, 0] + away_goals[:, 0] - grids[:, 0, 0]
    goals, totals = np.arange(size), np.arange(2 * size - 1)
    return Markets(
        match_result=np.stack([home, draw, away], axis=1),
        double_chance=np.stack([home + draw, decided, draw + away], axis=1),
        draw_no_bet=np.stack([home, away], axis=1) / decided[:, None],
        both_to_score=np.stack([1 - neither, neither], axis=1),
        expected_goals=np.stack([home_goals @ goals, away_goals @ goals], axis=1),
        total_goals=_settled(_gathered(grids, _total_cells(size)), totals, -np.array(TOTAL_LINES)),
        home_goals=_settled(home_goals, goals, -np.array(TEAM_TOTAL_LINES)),
        away_goals=_settled(away_goals, goals, -np.array(TEAM_TOTAL_LINES)),
        handicap=_settled(margins, totals - (size - 1), np.array(HANDICAP_LINES)),
    )


def fair_price(settlement: Floats) -> Floats:
    """Decimal price at which a bet with this settlement (..., 5) breaks even on average; infinite if it cannot win.

    A stake of 1 at price o returns o when won, (o + 1) / 2 when half won, 1, 1/2 and 0; the o with mean 1 is
    1 + (lost + half lost / 2) / (won + half won / 2).
    """
    gain = settlement[..., 0] + settlement[..., 1] / 2
    loss = settlement[..., 4] + settlement[..., 3] / 2
    with np.errstate(divide="ignore"):
        return np.asarray(1 + loss / gain, dtype=np.float64)


def top_scorelines(grids: Floats, k: int) -> Scorelines:
    """The `k` most probable scorelines of grids (n, size, size); of equal ones, that with fewer home goals first."""
    size = grids.shape[1]
    cells = grids.reshape(-1, size * size)
    best = np.argsort(-cells, axis=1, kind="stable")[:, :k]
    return Scorelines(best // size, best % size, np.take_along_axis(cells, best, axis=1))


def _settled(probabilities: Floats, values: Ints, handicaps: Floats) -> Floats:
    """Settlements (n, lines, 5) of a count with `probabilities` (n, values), to which the handicap is added."""
    distance = values[:, None] + handicaps
    ways = np.stack(
        [distance > 0.25, distance == 0.25, distance == 0, distance == -0.25, distance < -0.25], axis=2
    )
    found = probabilities @ ways.reshape(len(values), -1).astype(np.float64)
    return np.asarray(found.reshape(-1, len(handicaps), len(SETTLEMENTS)), dtype=np.float64)


def _gathered(grids: Floats, cells: Floats) -> Floats:
    return np.asarray(grids.reshape(-1, len(cells)) @ cells, dtype=np.float64)


@cache
def _margin_cells(size: int) -> Floats:
    """Which of the cells (size * size) have which margin, from -(size - 1) up (2 * size - 1)."""
    home, away = np.divmod(np.arange(size * size), size)
    return np.asarray(np.eye(2 * size - 1)[home - away + size - 1], dtype=np.float64)


@cache
def _total_cells(size: int) -> Floats:
    """Which of the cells (size * size) have which total of goals (2 * size - 1)."""
    home, away = np.divmod(np.arange(size * size), size)
    return np.asarray(np.eye(2 * size - 1)[home + away], dtype=np.float64)


def _win_draw_loss(size: int) -> tuple[slice, slice, slice]:
    return slice(size, None), slice(size - 1, size), slice(size - 1)
