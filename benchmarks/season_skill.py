"""The season ahead on the real season files: `python -m benchmarks.season_skill --markdown docs/season-ahead.md`.

First the standard deviation of a team's strength, from seasons up to 2009/10. Then every season since 2010/11 is
forecast as of three days by what was known before each: fitted on the seasons before, rated up to that day. The
forecasts of champions and of relegated teams are held against what came of them.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.progress import track

from benchmarks.comparison import SEED, markdown_table, replace_section
from benchmarks.played_seasons import missing
from benchmarks.rated_seasons import RatedSeasons, rated_seasons, training_input
from benchmarks.real_seasons import unpacked
from touchline.forecasting.baselines import SingleRating
from touchline.forecasting.design import ModelInput
from touchline.forecasting.goals import Goals
from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.no_odds import NoOdds, NoOddsParameters
from touchline.forecasting.scoreline import grid_for, grid_matching, total_over
from touchline.forecasting.season import (
    Pair,
    SeasonSoFar,
    StrengthDeviation,
    matches_left,
    simulate_season,
)
from touchline.forecasting.season_format import STRENGTH_DEVIATION, format_of
from touchline.identity.competitions import SEED as SEEDS

LEARNED, JUDGED = range(1998, 2010), range(2010, 2023)
# Shares of the matches of a season after which it is forecast.
SHARES = (0.25, 0.5, 0.75)
SHARES_LEARNED = (0.0, 0.15, 0.3, 0.5, 0.7, 0.85)
JUDGED_OUTCOMES = ("title", "relegation")
FORECASTS = ("base rate", "Elo only", "no_odds, strengths certain", "no_odds")
# Fewer than in production: the error of counting is small beside that of one past.
N_SIMULATED = 2_000
N_BINS, N_RESAMPLES = 10, 2000
WIDTHS_OF_N_LEFT = (1, 6, 11, 16, 21, 26, 31, 36, 47)

Grids = Callable[[pd.DataFrame], Floats]


@dataclass(frozen=True)
class Fitted:
    """What was fitted on the matches before a season: grids (n, 11, 11) of features, with and without Elo only."""

    no_odds: Grids
    elo: Grids


@dataclass(frozen=True)
class Part:
    """A competition's season as of a day: places of its matches in the order of all, and how many were played."""

    competition: str
    season: str
    places: Ints
    n_played: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as Markdown; write them, and a picture beside, into a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", type=Path, help="document whose figures are written anew")
    options = parser.parse_args([] if arguments is None else arguments)
    if absent := missing():
        print(f"season_skill: skipped, {absent} is not there; set TOUCHLINE_SHARED_DATA")
        return
    with unpacked() as folder:
        seasons = rated_seasons(folder, 1993, JUDGED.stop - 1)
    matches = ModelInput(training_input(seasons))
    _ = matches.history
    fits = {year: fitted(matches, year) for year in track([*LEARNED, *JUDGED], "fit")}
    told = deviation_table(seasons, {year: fits[year] for year in LEARNED})
    print(told)
    judged = pd.DataFrame(
        row for year in track(JUDGED, "forecast") for row in forecasts_of(seasons, year, fits[year])
    )
    text = "\n\n".join((told, skill_table(judged)))
    print(text)
    if options.markdown is not None:
        replace_section(options.markdown, "skill", text)
        reliability(judged).savefig(options.markdown.with_suffix(".png"), dpi=110)


def fitted(matches: ModelInput, year: int) -> Fitted:
    """Fitted on the matches before the first of July of a year."""
    begin = pd.Timestamp(date(year, 7, 1), tz="UTC")
    known = matches.rows(np.flatnonzero(matches.frame["kickoff_at"] < begin))
    no_odds = NoOdds.fit(known, NoOddsParameters(), SEED)
    totals = Goals.fit(known, "dixon_coles", SEED)
    elo = SingleRating.fit(known, "elo")

    def grids_of_no_odds(features: pd.DataFrame) -> Floats:
        given = ModelInput(features)
        return grid_matching(no_odds.probabilities(given), total_over(totals.grid(given)))

    return Fitted(grids_of_no_odds, lambda features: grid_for(elo.probabilities(ModelInput(features))))


def parts(seasons: RatedSeasons, year: int, shares: Sequence[float]) -> Iterator[Part]:
    """Every competition's season that began in a year, as of the days when shares of its matches were played."""
    matches = seasons.matches
    name = f"{year}/{(year + 1) % 100:02d}"
    for competition, frame in matches[matches["season"] == name].groupby("competition"):
        places = frame.index.to_numpy()
        days = frame["day"].to_numpy()
        for share in shares:
            day = days[min(int(share * len(places)), len(places) - 1)]
            yield Part(str(competition), name, places, int((days < day).sum()))


def features_of(
    seasons: RatedSeasons, part: Part, pairs: Sequence[Pair], teams: Sequence[int]
) -> pd.DataFrame:
    """Features of pairings (places in `teams`) as of the day of a part."""
    played, n_matches = (
        part.places[: part.n_played],
        int(part.places[min(part.n_played, len(part.places) - 1)]),
    )
    n_of = Counter([*seasons.home[played].tolist(), *seasons.away[played].tolist()])
    rows = seasons.last_rows(np.array(teams), n_matches)
    sides = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    n_played = np.array([n_of[team] for team in teams])[sides]
    matches = seasons.matches
    tier = np.full(len(sides), matches["tier"].iloc[part.places[0]])
    day = np.full(len(sides), matches["day"].iloc[n_matches])
    return seasons.features(rows[sides], day, tier, n_played, np.full(len(sides), len(teams)))


def deviation_table(seasons: RatedSeasons, fits: Mapping[int, Fitted]) -> str:
    """How far teams' goal differences over all matches left were from what was expected, by matches left."""
    found = pd.DataFrame(
        row for year, fit in track(fits.items(), "deviation") for row in surprises(seasons, year, fit)
    )
    group = pd.cut(found["n_left"], WIDTHS_OF_N_LEFT, right=False)
    sums = found.assign(excess=found["surprise"] ** 2 - found["noise"]).groupby(group, observed=True)
    table = sums.agg(
        n=("n_left", "size"), n_left=("n_left", "mean"), excess=("excess", "sum"), effect=("effect", "sum")
    )
    variance = table["excess"] / table["effect"]
    # A line through the groups, which count by how precisely they are known.
    slope, now = np.polyfit(table["n_left"], variance, 1, w=np.sqrt(table["effect"] / table["effect"].sum()))
    line = StrengthDeviation(max(float(now), 0.0), max(float(slope), 0.0))
    rows = [
        [
            f"{left:.0f}",
            f"{n:,}",
            f"{np.sign(v) * np.sqrt(abs(v)):.3f}",
            f"{line(left):.3f}",
            f"{STRENGTH_DEVIATION(left):.3f}",
        ]
        for left, n, v in zip(table["n_left"], table["n"], variance, strict=True)
    ]
    years = f"{LEARNED[0]}/{(LEARNED[0] + 1) % 100:02d} to {LEARNED[-1]}/{(LEARNED[-1] + 1) % 100:02d}"
    return "\n\n".join((
        f"**Standard deviation of a team's strength about its forecast**, logs of goals, seasons {years}: variance "
        f"{line.now:.5f} + {line.per_match:.6f} a match left",
        markdown_table(("matches left", "teams and days", "found", "line", "as forecast"), rows),
    ))  # fmt: skip


def surprises(seasons: RatedSeasons, year: int, fit: Fitted) -> Iterator[dict[str, float]]:
    """For each team and day: its goal difference over all matches left beyond what was expected, and its variance.

    A shift d of a match's grid moves the expected goal difference by its variance V times d. With independent strengths
    of variance s, a sum of surprises has variance sum(V) + s ((sum V)^2 + the sum over opponents of (their V)^2).
    """
    for part in parts(seasons, year, SHARES_LEARNED):
        later = part.places[part.n_played :]
        teams = sorted({*seasons.home[part.places].tolist(), *seasons.away[part.places].tolist()})
        place = {team: number for number, team in enumerate(teams)}
        pairs = [
            (place[h], place[a])
            for h, a in zip(seasons.home[later].tolist(), seasons.away[later].tolist(), strict=True)
        ]
        grids = fit.no_odds(features_of(seasons, part, pairs, teams))
        margins = np.arange(grids.shape[1])[:, None] - np.arange(grids.shape[2])
        mean = (grids * margins).sum(axis=(1, 2))
        variance = (grids * margins**2).sum(axis=(1, 2)) - mean**2
        goals = seasons.matches.iloc[later]
        gap = (goals["home_goals"] - goals["away_goals"]).to_numpy(dtype=np.float64) - mean
        against = np.zeros((len(teams), len(teams)))
        sums = np.zeros(len(teams))
        for (home, away), surprise, v in zip(pairs, gap, variance, strict=True):
            sums[home] += surprise
            sums[away] -= surprise
            against[home, away] += v
            against[away, home] += v
        n = Counter(team for pair in pairs for team in pair)
        for team in range(len(teams)):
            if n[team]:
                noise = against[team].sum()
                yield {
                    "n_left": n[team], "surprise": sums[team], "noise": noise,
                    "effect": noise**2 + (against[team] ** 2).sum(),
                }  # fmt: skip


def forecasts_of(seasons: RatedSeasons, year: int, fit: Fitted) -> Iterator[dict[str, Any]]:
    """A row for each team, day and outcome of the seasons of a year: what was said, and what came."""
    formats, places = seed("season_format"), seed("season_place")
    for part in parts(seasons, year, SHARES):
        format_ = format_of(formats, places, part.competition, part.season)
        if format_ is None:
            continue
        teams = sorted({*seasons.home[part.places].tolist(), *seasons.away[part.places].tolist()})
        whole = so_far(seasons, part, len(part.places), teams)
        if len(teams) != format_.n_teams or matches_left(whole, format_).pairs:
            continue
        known = so_far(seasons, part, part.n_played, teams)
        left = matches_left(known, format_)
        features = features_of(seasons, part, left.pairs, teams)
        no_odds, elo = (_by_pair(grids(features), left.pairs, len(teams)) for grids in (fit.no_odds, fit.elo))
        deviation = STRENGTH_DEVIATION(float(left.n_left(len(teams)).mean()))
        key = [SEED, year, part.n_played]
        said = {
            "Elo only": simulate_season(known, format_, elo, 0.0, N_SIMULATED, key),
            "no_odds, strengths certain": simulate_season(known, format_, no_odds, 0.0, N_SIMULATED, key),
            "no_odds": simulate_season(known, format_, no_odds, deviation, N_SIMULATED, key),
        }
        end = simulate_season(whole, format_, np.zeros_like(no_odds), 0.0, 100, key)
        n_days = SHARES[int(np.argmin([abs(part.n_played / len(part.places) - share) for share in SHARES]))]
        for outcome in set(JUDGED_OUTCOMES) & format_.places.keys():
            span = format_.places[outcome]
            for team in range(len(teams)):
                happened = end.p_outcome(span)[team]
                # A place that a lot or an unreported match decides is no outcome.
                if happened in (0.0, 1.0):
                    yield {
                        "competition": part.competition, "season": part.season, "share": n_days, "outcome": outcome,
                        "happened": happened, "base rate": (span[1] - span[0] + 1) / len(teams),
                        **{name: each.p_outcome(span)[team] for name, each in said.items()},
                    }  # fmt: skip


def so_far(seasons: RatedSeasons, part: Part, n_played: int, teams: Sequence[int]) -> SeasonSoFar:
    """The season after so many of its matches, with the deductions known on that day."""
    place = {team: number for number, team in enumerate(teams)}
    played = part.places[:n_played]
    goals = seasons.matches.iloc[played]
    results = np.column_stack([
        [place[team] for team in seasons.home[played].tolist()],
        [place[team] for team in seasons.away[played].tolist()],
        goals["home_goals"].to_numpy(dtype=np.int64), goals["away_goals"].to_numpy(dtype=np.int64),
    ]).astype(np.int64)  # fmt: skip
    day = seasons.matches["kickoff_at"].iloc[part.places[min(n_played, len(part.places) - 1)]].date()
    is_over = n_played == len(part.places)
    deducted = np.zeros(len(teams), dtype=np.int64)
    names = {
        seasons.matches[f"{side}_team"].iloc[row]: place[int(team)]
        for side, of in (("home", seasons.home), ("away", seasons.away))
        for row, team in zip(part.places.tolist(), of[part.places].tolist(), strict=True)
    }
    for row in seed("point_deduction"):
        is_known = is_over or date.fromisoformat(row["known_on"]) < day
        if (row["competition"], row["season"]) == (part.competition, part.season) and is_known:
            deducted[names[row["team"]]] += int(row["points"])
    return SeasonSoFar(tuple(map(str, teams)), results.reshape(-1, 4), (), (), deducted)


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a seed of the warehouse."""
    with SEEDS.with_name(f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _by_pair(grids: Floats, pairs: Sequence[Pair], n_teams: int) -> Floats:
    found = np.zeros((n_teams, n_teams, *grids.shape[1:]))
    for (home, away), grid in zip(pairs, grids, strict=True):
        found[home, away] = grid
    return found


def skill_table(judged: pd.DataFrame) -> str:
    """Brier scores by outcome and day, and the difference of no_odds to the others with its interval over seasons."""
    rows = []
    for (outcome, share), found in judged.groupby(["outcome", "share"]):
        happened = found["happened"].to_numpy()
        brier = {name: (found[name].to_numpy() - happened) ** 2 for name in FORECASTS}
        rows.append([
            f"{outcome}, after {share:.0%}", f"{len(found):,}", f"{int(happened.sum())}",
            *(f"{brier[name].mean():.4f}" for name in FORECASTS),
            *(_interval(brier["no_odds"] - brier[name], found) for name in FORECASTS[1:3]),
        ])  # fmt: skip
    seasons = judged[["competition", "season"]].drop_duplicates()
    return "\n\n".join((
        f"**Brier score** of {len(seasons):,} seasons of {seasons['competition'].nunique()} competitions, "
        f"{judged['season'].min()} to {judged['season'].max()}; differences with 95 % interval, bootstrap by season",
        markdown_table(("outcome and share played", "teams", "happened", *FORECASTS, "no_odds less Elo only",
                        "no_odds less certain strengths"), rows),
        "**Reliability** of all three days: share that happened among forecasts, and their mean (n)",
        markdown_table(
            ("forecast between", *(f"{o}: {f}" for o in JUDGED_OUTCOMES for f in FORECASTS[1:])), _bins(judged)
        ),
    ))  # fmt: skip


def _bins(judged: pd.DataFrame) -> list[list[str]]:
    edges = np.array([0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99, 1.0])
    rows = []
    for low, high in pairwise(edges):
        row = [f"{low:.2f} and {high:.2f}"]
        for outcome in JUDGED_OUTCOMES:
            of_outcome = judged[judged["outcome"] == outcome]
            for name in FORECASTS[1:]:
                p = of_outcome[name]
                inside = of_outcome[(p >= low) & ((p < high) | (high == 1.0))]
                row.append(
                    f"{inside['happened'].mean():.3f}, {inside[name].mean():.3f} ({len(inside)})"
                    if len(inside)
                    else ""
                )
        rows.append(row)
    return rows


def _interval(difference: Floats, found: pd.DataFrame) -> str:
    """Mean difference, with the 95 % interval of a bootstrap over whole seasons of competitions."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(list)
    for key, value in zip(zip(found["competition"], found["season"], strict=True), difference, strict=True):
        sums[key].append(float(value))
    totals = np.array([[sum(values), len(values)] for values in sums.values()])
    drawn = np.random.default_rng(SEED).integers(len(totals), size=(N_RESAMPLES, len(totals)))
    resampled = totals[drawn].sum(axis=1)
    low, high = np.quantile(resampled[:, 0] / resampled[:, 1], [0.025, 0.975])
    return f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def reliability(judged: pd.DataFrame) -> Figure:
    """Share that happened against forecast probability, for titles and relegations."""
    figure = Figure(figsize=(9.6, 4.8), layout="constrained")
    for axes, outcome in zip(figure.subplots(1, 2, sharey=True), JUDGED_OUTCOMES, strict=True):
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle="--")
        found = judged[judged["outcome"] == outcome]
        for name, colour in zip(FORECASTS[1:], ("#e69f00", "#999999", "#0072b2"), strict=True):
            bins = np.minimum((found[name] * N_BINS).astype(int), N_BINS - 1)
            grouped = found.groupby(bins)
            axes.plot(
                grouped[name].mean(),
                grouped["happened"].mean(),
                marker="o",
                markersize=4,
                color=colour,
                label=name,
            )
        axes.set(title=outcome, xlabel="forecast probability", xlim=(0, 1), ylim=(0, 1))
    figure.axes[0].set_ylabel("share that happened")
    figure.axes[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
