"""A folder of season files of a small world, as downloaded, for what needs several seasons of real input."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from builders import season_csv

TEAMS = {
    "E0": (
        "Arsenal",
        "Burnley",
        "Chelsea",
        "Derby",
        "Everton",
        "Fulham",
        "Leeds",
        "Norwich",
        "Reading",
        "Stoke",
    ),
    "E1": (
        "Barnsley",
        "Blackpool",
        "Cardiff",
        "Coventry",
        "Hull",
        "Luton",
        "Millwall",
        "Preston",
        "Swansea",
        "Watford",
    ),
}
OVERROUND = 1.05


def write_season_folder(folder: Path, first_year: int, n_seasons: int, seed: int = 1) -> int:
    """Season files of two competitions of ten teams (90 matches a season each); returns the number of matches."""
    rng = np.random.default_rng(seed)
    strength = {team: rng.normal(0, 0.35) for teams in TEAMS.values() for team in teams}
    n = 0
    for year in range(first_year, first_year + n_seasons):
        for competition, teams in TEAMS.items():
            pairs = double_round([str(team) for team in rng.permutation(teams)])
            rows = [
                _row(competition, date(year, 8, 14) + timedelta(days=3 * (number // 5)), home, away,
                     strength[home] - strength[away], rng)
                for number, (home, away) in enumerate(pairs)
            ]  # fmt: skip
            path = folder / f"{year % 100:02d}{(year + 1) % 100:02d}" / f"{competition}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(season_csv(rows))
            n += len(rows)
    return n


def double_round(teams: list[str]) -> list[tuple[str, str]]:
    """Each against each, at home and away, round by round: nobody plays twice in a round."""
    first, others = teams[0], teams[1:]
    rounds = []
    for number in range(len(others)):
        turned = [first, *others[number:], *others[:number]]
        half = len(teams) // 2
        pairs = list(zip(turned[:half], reversed(turned[half:]), strict=True))
        rounds.append(pairs if number % 2 else [(away, home) for home, away in pairs])
    back = [[(away, home) for home, away in pairs] for pairs in rounds]
    return [pair for pairs in (*rounds, *back) for pair in pairs]


def turn_results_over(folder: Path, since: date) -> None:
    """Every result from a day on becomes its opposite, in place: goals, shots and outcome change sides."""
    for path in folder.rglob("*.csv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            day, month, year = (int(part) for part in row["Date"].split("/"))
            if date(year, month, day) >= since:
                row["FTHG"], row["FTAG"] = row["FTAG"], row["FTHG"]
                row["FTR"] = {"H": "A", "A": "H"}.get(row["FTR"], row["FTR"])
        path.write_bytes(season_csv(rows))


def _row(
    competition: str, day: date, home: str, away: str, gap: float, rng: np.random.Generator
) -> dict[str, str]:
    rates = (np.exp(0.35 + gap / 2), np.exp(0.1 - gap / 2))
    goals = [int(rng.poisson(rate)) for rate in rates]
    row = {
        "Div": competition, "Date": day.strftime("%d/%m/%Y"), "Time": "15:00", "HomeTeam": home, "AwayTeam": away,
        "FTHG": str(goals[0]), "FTAG": str(goals[1]),
        "FTR": "H" if goals[0] > goals[1] else "A" if goals[0] < goals[1] else "D",
    }  # fmt: skip
    for side, rate in zip("HA", rates, strict=True):
        shots = int(rng.poisson(9 * rate))
        row |= {
            f"{side}S": str(shots), f"{side}ST": str(int(rng.binomial(shots, 0.35))),
            f"{side}C": str(shots // 2), f"{side}Y": str(shots % 5), f"{side}R": str(int(shots % 13 == 0)),
        }  # fmt: skip
    for prices, noise in (("B365", 0.12), ("PS", 0.1), ("Avg", 0.1), ("AvgC", 0.06), ("PSC", 0.04)):
        seen = gap + rng.normal(0, noise)
        # A smooth stand-in for the scoreline grid is enough: prices only have to know the gap.
        weights = np.exp([0.25 + seen * 0.8, 0.0, -0.15 - seen * 0.8])
        p = weights / weights.sum()
        row |= {f"{prices}{letter}": f"{1 / (p[k] * OVERROUND):.2f}" for k, letter in enumerate("HDA")}
    for letter in "HDA":
        row[f"Max{letter}"] = max((row[f"{prices}{letter}"] for prices in ("B365", "PS", "Avg")), key=float)
    return row
