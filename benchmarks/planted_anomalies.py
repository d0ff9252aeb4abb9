"""The recipe: wrong prices, results, weeks, levels and features planted in real seasons.

docs/anomalies.md tells it in words. Everything comes from one seed; each match bears at most one anomaly, and no two
anomalies of weeks or levels share a competition and week.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from benchmarks.planted_plot import Planted, Plot
from benchmarks.planted_prices import plant_quotes, plant_whole_matches
from benchmarks.real_seasons import Seasons
from touchline.anomalies.weeks import week_of

# One planted anomaly in so many results; of weeks, levels and features a number a season.
ONE_IN_RESULTS = 100
WEEKS_A_KIND = 6
LEVELS_A_KIND = 2
FEATURE_SHIFTS = 4


def plant(seasons: Seasons, since: datetime, until: datetime, seed: int) -> tuple[Seasons, list[Planted]]:
    """Seasons with anomalies planted in matches that kicked off in between, and what was planted.

    Features are planted apart, by `plant_features`, once they were computed.
    """
    plot = Plot(seasons, since, until, np.random.default_rng(seed))
    for work in (_levels, _weeks, plant_whole_matches, _results, plant_quotes):
        work(plot)
    return plot.seasons, plot.planted


def _results(plot: Plot) -> None:
    """Goals and counts of one side that somebody mistyped."""
    counted = ("shots", "shots_on_target", "corners", "fouls", "yellow_cards")
    full = plot.free(
        plot.area.drop_nulls([f"{side}_{name}" for side in ("home", "away") for name in counted])
    )
    kinds = ("goals_typing_error", "count_typing_error")
    each = max(1, round(full.height / ONE_IN_RESULTS / len(kinds)))
    rows = iter(plot.shuffled(full))
    for kind in kinds:
        n = 0
        for row in rows:
            side = str(plot.chance.choice(["home", "away"]))
            values = _wrong_result(kind, row, side, plot.chance)
            if values is None:
                continue
            plot.change_matches(
                pl.col("match_id") == row["match_id"],
                **{name: pl.lit(value) for name, value in values.items()},
            )
            plot.take(kind, [row])
            n += 1
            if n == each:
                break


def _wrong_result(
    kind: str, row: dict[str, Any], side: str, chance: np.random.Generator
) -> dict[str, int] | None:
    if kind == "goals_typing_error":
        return {f"{side}_goals": row[f"{side}_goals"] + 10}
    name = f"{side}_{chance.choice(['shots', 'corners', 'fouls', 'yellow_cards'])}"
    # The last digit is typed twice.
    return {name: row[name] * 10 + row[name] % 10} if row[name] >= 5 else None


def _weeks(plot: Plot) -> None:
    """Weeks of a competition with fouls and corners exchanged, or without half of the bookmakers."""
    counted = plot.area.group_by("competition", "week", maintain_order=True).agg(
        pl.len(), n_counted=pl.col("home_corners").count()
    )
    full = counted.filter(pl.col("len") >= 0.8 * pl.col("len").max().over("competition")).sort(
        "competition", "week"
    )
    changes = {"columns_exchanged": _exchange_columns, "bookmakers_missing": _lose_bookmakers}
    rows = iter(plot.shuffled(full))
    for kind, change in changes.items():
        n = 0
        for row in rows:
            week = (row["competition"], row["week"])
            if week in plot.used_weeks or (kind == "columns_exchanged" and row["n_counted"] < row["len"]):
                continue
            hit = plot.area.filter((pl.col("competition") == week[0]) & (pl.col("week") == week[1]))
            ids = hit["match_id"].to_list()
            change(plot, pl.col("match_id").is_in(ids))
            plot.used |= set(ids)
            plot.used_weeks.add(week)
            plot.planted.append(Planted(kind, "week", frozenset(ids), weeks=frozenset({week})))
            n += 1
            if n == WEEKS_A_KIND:
                break


def _exchange_columns(plot: Plot, where: pl.Expr) -> None:
    plot.change_matches(
        where, home_fouls=pl.col("home_corners"), away_fouls=pl.col("away_corners"),
        home_corners=pl.col("home_fouls"), away_corners=pl.col("away_fouls"),
    )  # fmt: skip


def _lose_bookmakers(plot: Plot, where: pl.Expr) -> None:
    """Half of the bookmakers, rounded up, are not in the file of the week."""
    there = plot.seasons.quotes.filter(where)["bookmaker"].unique().sort().to_list()
    own = [name for name in there if not name.startswith("market_")]
    gone = list(plot.chance.choice(own, (len(own) + 1) // 2, replace=False))
    plot.seasons = replace(
        plot.seasons, quotes=plot.seasons.quotes.filter(~(where & pl.col("bookmaker").is_in(gone)))
    )


def _shorten_prices(plot: Plot, where: pl.Expr) -> None:
    names = ("home", "draw", "away", "over", "under")
    plot.change_quotes(where, **{f"price_{name}": pl.col(f"price_{name}") / 1.03 for name in names})


def _levels(plot: Plot) -> None:
    """From a week between November and January on, until the season's end, a competition is at another level."""
    chosen = list(plot.chance.permutation(sorted(set(plot.area["competition"]))))
    for kind, change in (("overround_higher", _shorten_prices), ("bookmakers_gone", _lose_bookmakers)):
        for _ in range(LEVELS_A_KIND):
            if not chosen:
                return
            competition = str(chosen.pop())
            start = plot.since + timedelta(days=int(plot.chance.integers(110, 200)))
            hit = plot.area.filter((pl.col("competition") == competition) & (pl.col("kickoff_at") >= start))
            change(plot, pl.col("match_id").is_in(hit["match_id"].to_list()))
            weeks = frozenset((competition, week) for week in hit["week"].unique())
            plot.used |= set(hit["match_id"])
            plot.used_weeks |= {(competition, week) for week in plot.area["week"].unique()}
            plot.planted.append(Planted(kind, "level", frozenset(hit["match_id"]), weeks=weeks))


def plant_features(
    matches: pl.DataFrame,
    since: datetime,
    until: datetime,
    names: tuple[str, ...],
    block_start: datetime,
    seed: int,
) -> tuple[pl.DataFrame, list[Planted]]:
    """Features that for four weeks (28 days from a multiple of 28 days after `block_start`) are wrong everywhere.

    By turns: 1.3 times too large, missing in half of the rows, or the value of another match.
    """
    chance = np.random.default_rng(seed)
    planted = []
    first = (since - block_start) // timedelta(days=28) + 2
    starts = [
        block_start + timedelta(days=28) * (first + int(n)) for n in chance.permutation(8)[:FEATURE_SHIFTS]
    ]
    chosen = chance.permutation(len(names))[:FEATURE_SHIFTS]
    for number, (start, index) in enumerate(zip(starts, chosen, strict=True)):
        name = names[int(index)]
        week = week_of(pl.col("kickoff_at"))
        inside = (week >= start) & (week < start + timedelta(days=28)) & (pl.col("kickoff_at") < until)
        half = pl.Series(chance.random(matches.height) < 0.5)
        value = {
            0: pl.col(name) * 1.3 + pl.col(name).std(),
            1: pl.when(half).then(pl.col(name)),
            2: pl.lit(0.0),
        }[number % 3]
        matches = matches.with_columns(pl.when(inside).then(value).otherwise(pl.col(name)).alias(name))
        ids = frozenset(matches.filter(inside)["match_id"])
        planted.append(Planted(("feature_scaled", "feature_missing", "feature_zero")[number % 3], "feature", ids,
                               feature=f"{name}/{start.date().isoformat()}"))  # fmt: skip
    return matches, planted
