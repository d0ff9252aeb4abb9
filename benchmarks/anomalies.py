"""Precision and recall of the anomaly detectors on anomalies planted in real seasons (docs/anomalies.md).

Limits were chosen on the seasons 2014/15 to 2018/19; what is printed comes from the four after, which had no part in
it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.counted_findings import Count, count
from benchmarks.planted_anomalies import plant, plant_features
from benchmarks.real_seasons import (
    FEATURES,
    Seasons,
    archive,
    read_seasons,
    unpacked,
    with_features,
    world_between,
)
from touchline.anomalies.detectors import STRETCH, anomalies_between
from touchline.anomalies.distributions import GRID

TUNED_ON = (2014, 2015, 2016, 2017, 2018)
HELD_OUT = (2019, 2020, 2021, 2022)
SEEDS = (1, 2)
HISTORY_SEASONS = 3


def measure(seasons: Seasons, year: int, seed: int) -> tuple[Count, pl.DataFrame]:
    """Plant in the season that began in `year`, walk through it as the nightly runs would, and count.

    `seasons` hold it and the three before, as they came. Returns the counts and the false findings.
    """
    since, until = datetime(year, 7, 20, tzinfo=UTC), datetime(year + 1, 7, 10, tzinfo=UTC)
    changed, planted = plant(seasons, since, until, seed)
    matches, shifted = plant_features(with_features(changed), since, until, FEATURES, GRID, seed)
    found = []
    while since < until:
        as_of = since + STRETCH
        world = world_between(matches, changed.quotes, since, as_of)
        found.append(anomalies_between(world, since, as_of))
        since = as_of
    return count(
        pl.concat(found).unique(["detector", "subject", "observed"], maintain_order=True),
        [*planted, *shifted],
    )


def measured(
    folder: Path, years: Sequence[int], seeds: Sequence[int]
) -> tuple[Count, dict[int, Count], pl.DataFrame]:
    """All seasons and seeds together, each season alone, and all false findings."""
    total, by_year, false = Count(), {}, []
    for year in years:
        seasons = read_seasons(folder, year - HISTORY_SEASONS, year)
        by_year[year] = Count()
        for seed in seeds:
            counted, wrong = measure(seasons, year, 1000 * year + seed)
            by_year[year].add(counted)
            false.append(wrong)
        total.add(by_year[year])
    return total, by_year, pl.concat(false)


def tables(total: Count, by_year: dict[int, Count]) -> list[Table]:
    """By kind, by detector and by season."""
    kinds = _table("Planted anomalies", "kind", "planted", "found", "recall")
    for kind, n in total.planted.items():
        kinds.add_row(kind, f"{n:,}", f"{total.found[kind]:,}", f"{total.found[kind] / n:.3f}")
    kinds.add_row(
        "all", f"{sum(total.planted.values()):,}", f"{sum(total.found.values()):,}", f"{total.recall:.3f}"
    )
    detectors = _table("Findings", "detector", "true", "consequent", "false", "precision")
    for name in sorted({*total.true, *total.false, *total.consequent}):
        judged = total.true[name] + total.false[name]
        precision = f"{total.true[name] / judged:.3f}" if judged else ""
        counts = (total.true[name], total.consequent[name], total.false[name])
        detectors.add_row(name, *(f"{n:,}" for n in counts), precision)
    seasons = _table("Seasons", "season", "planted", "false", "recall", "precision")
    for year, each in (*by_year.items(), ("all", total)):
        label = f"{year}/{(year + 1) % 100:02d}" if isinstance(year, int) else year
        false = sum(each.false.values())
        seasons.add_row(
            label,
            f"{sum(each.planted.values()):,}",
            f"{false:,}",
            f"{each.recall:.3f}",
            f"{each.precision:.3f}",
        )
    return [kinds, detectors, seasons]


def _table(title: str, first: str, *numbers: str) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def main(years: Sequence[int] = HELD_OUT, seeds: Sequence[int] = SEEDS) -> None:
    """Measure on the held-out seasons and print three tables; `tune` as argument takes the earlier ones instead."""
    if not archive().exists():
        Console().print(f"anomalies: skipped, there is no real data at {archive()}")
        return
    with unpacked() as folder:
        total, by_year, false = measured(folder, years, seeds)
    for table in tables(total, by_year):
        Console().print(table)
    if "--false" in sys.argv:
        with pl.Config(tbl_rows=400, fmt_str_lengths=110, tbl_width_chars=260):
            Console().print(str(false.sort("detector", "score").select("detector", "what", "place", "score")))


if __name__ == "__main__":
    main(TUNED_ON if "tune" in sys.argv else HELD_OUT, (1,) if "tune" in sys.argv else SEEDS)
