"""The season ahead: what is left of a competition is played many times over, and final tables are counted.

A match is drawn from its scoreline grid. What the grids do not know is how wrong they are about a team, and that lasts:
in each simulated season every team is stronger or weaker than thought by one draw for all its matches left. A
difference d in strength between the sides weighs a scoreline of h to a goals by exp(d (h - a)); of independent Poisson
goals, that multiplies the home side's rate by exp(d) and the away side's by exp(-d).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from touchline.forecasting.final_table import Tables, TieBreaker, final_order, places_of
from touchline.forecasting.logistic import Floats, Ints

N_SIMULATIONS = 10_000
# The interval of points holds this share of the simulated seasons.
INTERVAL = 0.9
# Levels of a difference in strength for which a match is drawn, in standard deviations.
LEVELS = np.linspace(-4.0, 4.0, 33)
# Equal parts of a distribution: in all but those in which one cell ends and the next begins, the part says the cell.
N_PARTS = 4096

Pair = tuple[int, int]


@dataclass(frozen=True)
class StrengthDeviation:
    """The standard deviation of a team's strength about what is thought of it, in logs of goals.

    Its variance is `now` at once, and grows by `per_match` with each match that the team has left.
    """

    now: float
    per_match: float

    def __call__(self, n_left: float) -> float:
        """With so many matches left."""
        return float(np.sqrt(self.now + self.per_match * n_left))


@dataclass(frozen=True)
class Format:
    """How a competition makes its final table in a season.

    Every two of `n_teams` meet `n_meetings` times. With `groups` (teams, further meetings), the table is then split:
    the first so many are the first group, and nobody leaves its group. `places` gives the first and the last place of
    each outcome, such as relegation; `play_offs_after` as in `final_order`. `not_simulated`: what else decides.
    """

    n_teams: int
    n_meetings: int
    tie_breakers: tuple[TieBreaker, ...]
    groups: tuple[tuple[int, int], ...] = ()
    play_offs_after: tuple[int, ...] = ()
    places: Mapping[str, Pair] = field(default_factory=dict)
    not_simulated: str | None = None


@dataclass(frozen=True)
class SeasonSoFar:
    """A season as known: `teams` by id, and everything else by their places in it.

    `results` (m, 4) in order of kick-off: home, away, goals of each. `announced` are pairs (home, away) of fixtures
    still to be played, `cancelled` those that never will be. `deducted` (t,) are points taken away.
    """

    teams: tuple[str, ...]
    results: Ints
    announced: tuple[Pair, ...]
    cancelled: tuple[Pair, ...]
    deducted: Ints


@dataclass(frozen=True)
class Left:
    """What is left: `matches` (home, away); `open_venue` those of which nobody knows who is at home.

    `after_split` are pairs that may still meet after a split: how often they have since, and will at most. Then no team
    plays more than `most_after_split` matches.
    """

    matches: tuple[Pair, ...]
    open_venue: tuple[Pair, ...]
    after_split: Mapping[Pair, Pair]
    most_after_split: int = 0

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every (home, away) whose grid is needed; none when the season has ended."""
        either = [*self.open_venue, *self.after_split]
        return tuple(sorted({*self.matches, *either, *((away, home) for home, away in either)}))

    def n_left(self, n_teams: int) -> Ints:
        """How many matches each team has left (t,), or may have at most."""
        n = Counter(team for pair in (*self.matches, *self.open_venue) for team in pair)
        then = Counter(team for pair, (met, most) in self.after_split.items() for team in pair * (most - met))
        return np.array(
            [n[team] + min(then[team], self.most_after_split) for team in range(n_teams)], dtype=np.int64
        )


@dataclass(frozen=True)
class SeasonForecast:
    """Of t teams: `p_place` (t, t), of each final place from the first; points expected, and their interval."""

    p_place: Floats
    expected_points: Floats
    points_low: Ints
    points_high: Ints

    def p_outcome(self, places: Pair) -> Floats:
        """Probability (t,) of ending on the places from the first to the last of `places`."""
        return np.asarray(self.p_place[:, places[0] - 1 : places[1]].sum(axis=1), dtype=np.float64)


def matches_left(season: SeasonSoFar, format_: Format) -> Left:
    """What is left of the meetings that the format asks for.

    Of an even number, half are at either ground. Where an odd one is left it is at the ground that was announced, or
    open. A cancelled match counts as played, without a result.
    """
    met: Counter[Pair] = Counter((int(home), int(away)) for home, away, *_ in season.results)
    met.update(season.cancelled)
    announced = Counter(season.announced)
    matches: list[Pair] = []
    open_venue: list[Pair] = []
    since_split: dict[Pair, int] = {}
    for one, other in combinations(range(len(season.teams)), 2):
        n_met = met[one, other] + met[other, one]
        wanted = max(format_.n_meetings - n_met, 0)
        since_split[one, other] = max(n_met - format_.n_meetings, 0)
        for pair in (one, other), (other, one):
            certain = max(format_.n_meetings // 2 - met[pair], announced[pair])
            n = min(certain, wanted)
            matches += [pair] * n
            wanted -= n
        open_venue += [(one, other)] * wanted
    if not format_.groups:
        return Left(tuple(matches), tuple(open_venue), {})
    most = max(meetings for _, meetings in format_.groups)
    after_split = {pair: (n, most) for pair, n in since_split.items()}
    if not matches and not open_venue:
        group, meetings = _groups(_played(season, format_, 1)[0], format_, np.random.default_rng(0))
        after_split = {
            (one, other): (n, int(meetings[group[one, 0]]))
            for (one, other), n in since_split.items()
            if group[one, 0] == group[other, 0] and n < meetings[group[one, 0]]
        }
    return Left(
        tuple(matches),
        tuple(open_venue),
        after_split,
        max((size - 1) * times for size, times in format_.groups),
    )


def simulate_season(
    season: SeasonSoFar, format_: Format, grids: Floats, deviation: float, n: int, seed: Sequence[int]
) -> SeasonForecast:
    """Play what is left of a season `n` times.

    `grids` (t, t, 11, 11) by home and away team; those of `matches_left(...).pairs` are used. `deviation` is the
    standard deviation of a team's strength in logs of goals. The same arguments give the same forecast.
    """
    chance = np.random.default_rng(seed)
    left = matches_left(season, format_)
    draw = _Draw(grids, deviation, chance.standard_normal((len(season.teams), n)), chance)
    tables, after_split = _played(season, format_, n)
    for home, away in left.matches:
        tables.add(home, away, *draw(home, away))
    for home, away in left.open_venue:
        tables.add(home, away, *draw(home, away, is_open=True))
    group = None
    if format_.groups:
        group, meetings = _groups(tables, format_, chance)
        for result in after_split:
            tables.add(*result)
        for (home, away), (met, most) in left.after_split.items():
            for number in range(met, most):
                counts = (group[home] == group[away]) & (meetings[group[home]] > number)
                tables.add(home, away, *draw(home, away, is_open=True), counts=counts.astype(np.int64))
    order = final_order(tables, format_.tie_breakers, chance, group, format_.play_offs_after)
    return _counted(places_of(order), tables.points)


class _Draw:
    """Goals of a match in every simulated season, given the strengths (t, n) of its teams, in standard units."""

    def __init__(
        self, grids: Floats, deviation: float, strengths: Floats, chance: np.random.Generator
    ) -> None:
        size = grids.shape[-1]
        self._grids, self._chance, self._strengths = grids, chance, strengths / np.sqrt(2.0)
        self._home, self._away = np.divmod(np.arange(size * size), size)
        gaps = np.sqrt(2.0) * deviation * LEVELS
        self._tilts = np.exp(gaps[:, None] * (self._home - self._away))

    def __call__(self, home: int, away: int, *, is_open: bool = False) -> tuple[Ints, Ints]:
        """Home and away goals (n,); where the venue is open, either side is at home as often."""
        grid = self._grids[home, away]
        if is_open:
            grid = (grid + self._grids[away, home].T) / 2
        gap = (self._strengths[home] - self._strengths[away] - LEVELS[0]) / (LEVELS[1] - LEVELS[0])
        level = np.clip(np.rint(gap), 0, len(LEVELS) - 1).astype(np.int64)
        cell = _drawn(grid.ravel() * self._tilts, level, self._chance.random(len(level)))
        return self._home[cell], self._away[cell]


def _drawn(weights: Floats, level: Ints, chances: Floats) -> Ints:
    """The cell (n,) that each chance (n,) in [0, 1) draws of the weights (levels, cells) of its level (n,).

    It is the first one up to whose end the share of the weights is above the chance. A table of `N_PARTS` parts of each
    distribution knows it for most chances; a binary search finds the others.
    """
    n_levels, n_cells = weights.shape
    sums = np.cumsum(weights, axis=1)
    ends = sums / sums[:, -1:]
    # How many of the edges of parts, 0 to N_PARTS, come before the end of each cell.
    n_before = np.ceil(ends * N_PARTS).astype(np.int64)
    n_edges = np.diff(n_before, axis=1, prepend=0, append=N_PARTS + 1)
    first = np.repeat(np.tile(np.arange(n_cells + 1, dtype=np.uint8), n_levels), n_edges.ravel())
    part = level * (N_PARTS + 1) + (chances * N_PARTS).astype(np.int64)
    cell = first[part].astype(np.int64)
    unsure = np.flatnonzero(first[part] != first[part + 1])
    # The distributions of all levels, one above the other, so that one search draws from every season's.
    ladder = (ends + np.arange(n_levels)[:, None]).ravel()
    found = np.searchsorted(ladder, level[unsure] + chances[unsure], side="right")
    cell[unsure] = found - level[unsure] * n_cells
    # Rounding may take a draw at the very top of a distribution to the next.
    drawn: Ints = np.minimum(cell, n_cells - 1)
    return drawn


def _played(season: SeasonSoFar, format_: Format, n: int) -> tuple[Tables, list[list[int]]]:
    """Tables (n times the same) of what was played until a split, and the results since."""
    tables = Tables.empty(len(season.teams), n, format_.tie_breakers)
    tables.points -= season.deducted[:, None]
    met: Counter[frozenset[int]] = Counter()
    after_split = []
    for result in season.results.tolist():
        pair = frozenset(result[:2])
        met[pair] += 1
        if format_.groups and met[pair] > format_.n_meetings:
            after_split.append(result)
        else:
            tables.add(*result)
    return tables, after_split


def _groups(tables: Tables, format_: Format, chance: np.random.Generator) -> tuple[Ints, Ints]:
    """The group (t, n) of each team after a split, 0 the highest, and the further meetings of each group."""
    sizes, meetings = (np.array(each, dtype=np.int64) for each in zip(*format_.groups, strict=True))
    places = places_of(final_order(tables, format_.tie_breakers, chance))
    return np.repeat(np.arange(len(sizes)), sizes)[places - 1], meetings


def _counted(places: NDArray[np.int64], points: Ints) -> SeasonForecast:
    n_teams, n = places.shape
    p_place = np.stack([np.bincount(of_team, minlength=n_teams + 1)[1:] / n for of_team in places])
    tail = (1 - INTERVAL) / 2
    low, high = np.quantile(points, [tail, 1 - tail], axis=1, method="inverted_cdf")
    return SeasonForecast(p_place, points.mean(axis=1), low.astype(np.int64), high.astype(np.int64))
