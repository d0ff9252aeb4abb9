"""The final table of many seasons at once: points, then the tie-breakers of the competition, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from touchline.forecasting.logistic import Ints

TieBreaker = Literal[
    "goal_difference", "goals", "wins", "head_to_head_points", "head_to_head_goal_difference"
]
TIE_BREAKERS: tuple[TieBreaker, ...] = get_args(TieBreaker)
HEAD_TO_HEAD = frozenset({"head_to_head_points", "head_to_head_goal_difference"})
# What nothing else decides is decided by lot.
LOTS = 1 << 10


@dataclass
class Tables:
    """Sums of n seasons of t teams, to which matches are added.

    `points`, `goal_difference`, `goals` and `wins` are (t, n). `head_to_head_points` and
    `head_to_head_goal_difference` (t, t, n) are those of the first team in its matches against the second; None
    where the competition does not ask for them.
    """

    points: Ints
    goal_difference: Ints
    goals: Ints
    wins: Ints
    head_to_head_points: Ints | None
    head_to_head_goal_difference: Ints | None

    @classmethod
    def empty(cls, n_teams: int, n: int, tie_breakers: Sequence[TieBreaker]) -> Tables:
        """Nothing played."""
        sums = [np.zeros((n_teams, n), dtype=np.int64) for _ in range(4)]
        if not HEAD_TO_HEAD & set(tie_breakers):
            return cls(sums[0], sums[1], sums[2], sums[3], None, None)
        pairs = [np.zeros((n_teams, n_teams, n), dtype=np.int64) for _ in range(2)]
        return cls(sums[0], sums[1], sums[2], sums[3], pairs[0], pairs[1])

    def add(
        self, home: int, away: int, home_goals: Ints | int, away_goals: Ints | int, counts: Ints | int = 1
    ) -> None:
        """Add a match of two teams (their places) with goals (n,), in those seasons in which it `counts` (1 or 0)."""
        margin = np.asarray((home_goals - away_goals) * counts)
        draw = (margin == 0) * counts
        for team, other, goals, gap in ((home, away, home_goals, margin), (away, home, away_goals, -margin)):
            win = gap > 0
            points = 3 * win + draw
            self.points[team] += points
            self.goal_difference[team] += gap
            self.goals[team] += goals * counts
            self.wins[team] += win
            if self.head_to_head_points is not None and self.head_to_head_goal_difference is not None:
                self.head_to_head_points[team, other] += points
                self.head_to_head_goal_difference[team, other] += gap


def final_order(
    tables: Tables,
    tie_breakers: Sequence[TieBreaker],
    chance: np.random.Generator,
    group: Ints | None = None,
    play_offs_after: Sequence[int] = (),
) -> Ints:
    """The teams (t, n) of n seasons, by their places in `tables`, from the champion down.

    Equal points are parted by `tie_breakers` in their order; head-to-head ones count the matches among all teams with
    these points. What is still equal is parted by lot. `group` (t, n) comes before points: 0 stands above 1. After a
    place of `play_offs_after` (1 is the champion's) equal points are not parted at all, but by a match on neutral
    ground between the two teams beside the line, which either wins as often.
    """
    points = tables.points
    lots = chance.integers(LOTS, size=points.shape)
    keys = [points, *(_criterion(tables, name) for name in tie_breakers), lots]
    order = np.argsort(-_packed(keys if group is None else [-group, *keys]), axis=0, kind="stable")
    for place in play_offs_after:
        if place >= len(points):
            continue
        above, below = order[place - 1].copy(), order[place].copy()
        seasons = np.arange(points.shape[1])
        is_lost = (points[above, seasons] == points[below, seasons]) & (chance.random(len(seasons)) < 0.5)
        order[place - 1], order[place] = np.where(is_lost, below, above), np.where(is_lost, above, below)
    return order


def places_of(order: Ints) -> NDArray[np.int64]:
    """The place (t, n) of each team, 1 for the champion, in an order of `final_order`."""
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(1, len(order) + 1)[:, None], axis=0)
    return places


def _criterion(tables: Tables, name: TieBreaker) -> Ints:
    values: Ints = getattr(tables, name)
    if name not in HEAD_TO_HEAD:
        return values
    # Team by team: all pairs at once would need the memory of the whole competition again.
    return np.stack([
        (own * (tables.points == points)).sum(axis=0)
        for own, points in zip(values, tables.points, strict=True)
    ])  # fmt: skip


def _packed(keys: Sequence[Ints]) -> Ints:
    """One number (t, n) a team, in the order of several, the first of which counts most."""
    packed = np.zeros_like(keys[0])
    for key in keys:
        low, high = int(key.min()), int(key.max())
        packed = packed * (high - low + 1) + (key - low)
    return packed
