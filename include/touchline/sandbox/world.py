"""A simulated football world: teams whose strength comes and goes, seasons with promotion and relegation, and a market.

Everything follows from the seed and never from when one looks: each season and competition draws from random
streams of its own, so advancing the clock reveals more of the same world.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from touchline.sandbox.market import price_columns
from touchline.sandbox.schedule import double_round_robin, match_days
from touchline.sources.football_data_uk import calendar

Floats = npt.NDArray[np.float64]

FIRST_SEASON = 2019
# Seasons played unseen before the first one, so that divisions have sorted themselves by strength.
UNSEEN_SEASONS = 3
SWAPPED = 3
TIER_GAP = 0.18
HOME_GOALS, AWAY_GOALS = 0.37, 0.15
# Standard deviation between the clubs of a tier, in logs of goals: of what raises attack and defence alike, and of what
# raises one at the cost of the other. Both revert to the mean of the tier.
QUALITY, STYLE = 0.22, 0.06
# By how much an attack can be ahead of a defence, in logs of goals: who leads by three goals seeks no ninth.
FURTHEST_AHEAD = 1.1
# The shares of a club's distance from that mean that outlast a round and a summer.
ROUND_MEMORY, SUMMER_MEMORY = 0.995, 0.85


@dataclass(frozen=True)
class Country:
    """Competitions from the first tier down, teams in each, and how its clubs are called."""

    name: str
    competitions: tuple[str, ...]
    n_teams: int
    places: tuple[str, ...]
    endings: tuple[str, ...]


COUNTRIES = (
    Country(
        "Xanadu", ("X1", "X2", "X3"), 20,
        ("Alph", "Abora", "Kubla", "Dulcimer", "Cavern", "Cedarn", "Honeydew", "Paradise", "Mazy", "Damsel",
         "Fountain", "Incense", "Sunny", "Sacred", "Measureless", "Girdle", "Thresher", "Tumult", "Chasm", "Shadow"),
        ("United", "City", "Rovers"),
    ),
    Country(
        "Ylandia", ("Y1", "Y2"), 16,
        ("Yarrow", "Ysolde", "Ylang", "Yonder", "Yule", "Yewdale", "Ystad", "Yeoman", "Yearling", "Yucca",
         "Yellowfield", "Yaxley", "Yorrick", "Yarm", "Yokel", "Yachtsman"),
        ("Athletic", "Wanderers"),
    ),
)  # fmt: skip


@dataclass
class _Club:
    """`strength` is attack and defence, in logs of goals."""

    name: str
    strength: Floats


class SandboxWorld:
    """The world of one seed. `season(start_year)` is everything that will ever happen in that season."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._seasons: dict[int, pl.DataFrame] = {}
        self._divisions = {country.name: self._found(country) for country in COUNTRIES}
        self._next_year = FIRST_SEASON - UNSEEN_SEASONS

    def season(self, start_year: int) -> pl.DataFrame | None:
        """All matches of a season in order of kick-off, or None before the first season.

        One row a match: the provider's columns as text-ready values, and kickoff_at, prices_collected_at,
        result_published_at (UTC).
        """
        if start_year < FIRST_SEASON:
            return None
        while self._next_year <= start_year:
            played = [self._play(country, self._next_year) for country in COUNTRIES]
            self._seasons[self._next_year] = pl.concat(played).sort("kickoff_at", "Div", "HomeTeam")
            self._next_year += 1
        return self._seasons[start_year]

    def _found(self, country: Country) -> list[list[_Club]]:
        random = np.random.default_rng([self.seed, _number(country.name)])
        names = random.permutation(
            [f"{place} {ending}" for ending in country.endings for place in country.places]
        )
        strengths = _spread(random, len(names))
        size = country.n_teams
        return [
            [
                _Club(str(names[index]), _level(tier) + strengths[index])
                for index in range(tier * size, (tier + 1) * size)
            ]
            for tier in range(len(country.competitions))
        ]

    def _play(self, country: Country, year: int) -> pl.DataFrame:
        divisions = self._divisions[country.name]
        frames = []
        for tier, (competition, clubs) in enumerate(zip(country.competitions, divisions, strict=True)):
            random = np.random.default_rng([self.seed, year, _number(competition)])
            frame, points = _play_division(competition, clubs, tier, year, random)
            frames.append(frame)
            divisions[tier] = [clubs[index] for index in np.argsort(-points, kind="stable")]
        for upper, lower in itertools.pairwise(divisions):
            upper[-SWAPPED:], lower[:SWAPPED] = lower[:SWAPPED], upper[-SWAPPED:]
        self._pass_summer(divisions, year, country)
        return pl.concat(frames)

    def _pass_summer(self, divisions: list[list[_Club]], year: int, country: Country) -> None:
        random = np.random.default_rng([self.seed, year, _number(country.name)])
        for tier, clubs in enumerate(divisions):
            _keep(clubs, _reverted(_strengths(clubs), tier, SUMMER_MEMORY, random))


def _play_division(
    competition: str, clubs: list[_Club], tier: int, year: int, random: np.random.Generator
) -> tuple[pl.DataFrame, Floats]:
    """All matches of one competition and season; clubs' strengths move in place. Returns points by club."""
    pairs = double_round_robin(len(clubs), random)
    n_rounds = len(pairs)
    by_round = [_strengths(clubs)]
    while len(by_round) < n_rounds:
        by_round.append(_reverted(by_round[-1], tier, ROUND_MEMORY, random))
    _keep(clubs, by_round[-1])
    strength = np.array(by_round)
    rounds = np.repeat(np.arange(n_rounds), len(clubs) // 2)
    home, away = pairs.reshape(-1, 2).T
    # Whatever its level, a division sees as many goals as any other.
    attack, defence = np.moveaxis(strength - strength.mean(axis=1, keepdims=True), 2, 0)
    ahead = np.array(
        [attack[rounds, home] - defence[rounds, away], attack[rounds, away] - defence[rounds, home]]
    )
    rates = np.exp([[HOME_GOALS], [AWAY_GOALS]] + FURTHEST_AHEAD * np.tanh(ahead / FURTHEST_AHEAD))
    goals = random.poisson(rates)
    days, times = match_days(year, n_rounds, len(clubs) // 2, random)
    frame = _frame(competition, clubs, home, away, days, times, rates, goals, random)
    points = np.zeros(len(clubs))
    # Goal difference decides between equal points.
    np.add.at(points, home, 3 * (goals[0] > goals[1]) + (goals[0] == goals[1]) + (goals[0] - goals[1]) / 1000)
    np.add.at(points, away, 3 * (goals[1] > goals[0]) + (goals[0] == goals[1]) + (goals[1] - goals[0]) / 1000)
    return frame, points


def _level(tier: int) -> float:
    """The mean of attack and of defence in a tier, the first of which is 0."""
    return -TIER_GAP * tier


def _spread(random: np.random.Generator, n_clubs: int) -> Floats:
    """By how much attack and defence of clubs differ from their level, shape (n, 2)."""
    quality, style = random.normal(0, [[QUALITY], [STYLE]], (2, n_clubs))
    return np.stack([quality + style, quality - style], axis=1)


def _reverted(strength: Floats, tier: int, memory: float, random: np.random.Generator) -> Floats:
    """Strengths a while later: a share `memory` of the distance to their level is left, and chance keeps the spread."""
    level = _level(tier)
    return level + memory * (strength - level) + math.sqrt(1 - memory**2) * _spread(random, len(strength))


def _strengths(clubs: list[_Club]) -> Floats:
    return np.array([club.strength for club in clubs])


def _keep(clubs: list[_Club], strengths: Floats) -> None:
    for club, strength in zip(clubs, strengths, strict=True):
        club.strength = strength


def _frame(
    competition: str, clubs: list[_Club], home: npt.NDArray[np.int64], away: npt.NDArray[np.int64],
    days: list[date], times: list[str], rates: Floats, goals: npt.NDArray[np.int64],
    random: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    half = random.binomial(goals, 0.45)
    on_target = goals + random.poisson(1.6 + 1.3 * rates)
    shots = on_target + random.poisson(4.5 + 1.8 * rates)
    corners = random.poisson(2.5 + 1.8 * rates)
    fouls = random.poisson(11.5, goals.shape)
    yellow = random.poisson(1.8, goals.shape)
    red = random.binomial(1, 0.06, goals.shape)
    referees = random.integers(0, len(REFEREES), len(home))
    frame = pl.DataFrame(
        {
            "Div": competition,
            "day": days,
            "Time": times,
            "HomeTeam": [clubs[index].name for index in home],
            "AwayTeam": [clubs[index].name for index in away],
            "FTHG": goals[0], "FTAG": goals[1], "FTR": _outcome(goals),
            "HTHG": half[0], "HTAG": half[1], "HTR": _outcome(half),
            "Referee": [REFEREES[index] for index in referees],
            "HS": shots[0], "AS": shots[1], "HST": on_target[0], "AST": on_target[1],
            "HF": fouls[0], "AF": fouls[1], "HC": corners[0], "AC": corners[1],
            "HY": yellow[0], "AY": yellow[1], "HR": red[0], "AR": red[1],
            **price_columns(rates, random),
        }
    )  # fmt: skip
    clock = pl.duration(
        hours=pl.col("Time").str.slice(0, 2).cast(pl.Int64),
        minutes=pl.col("Time").str.slice(3, 2).cast(pl.Int64),
    )
    return (
        frame.with_columns(kickoff_at=calendar.kickoff_at(pl.col("day"), clock))
        .with_columns(
            prices_collected_at=calendar.prices_collected_at(pl.col("day"), pl.col("kickoff_at")),
            result_published_at=calendar.result_published_at(pl.col("day")),
            Date=pl.col("day").dt.strftime("%d/%m/%Y"),
        )
        .drop("day")
    )


REFEREES = (
    "A Coleridge", "B Wordsworth", "C Byron", "D Shelley", "E Keats", "F Blake", "G Southey", "H Clare",
    "I Burns", "J Scott", "K Hemans", "L Moore",
)  # fmt: skip


def _outcome(goals: npt.NDArray[np.int64]) -> list[str]:
    return ["H" if h > a else "A" if h < a else "D" for h, a in goals.T]


def _number(name: str) -> int:
    return int.from_bytes(name.encode(), "big") % 2**32
