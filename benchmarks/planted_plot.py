"""Where anomalies are planted: the seasons, what has been planted in them, and which matches bear nothing yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from benchmarks.real_seasons import Seasons
from touchline.anomalies.weeks import week_of


@dataclass(frozen=True)
class Planted:
    """One planted anomaly: the matches it touches, and what names it more closely."""

    kind: str
    level: str
    match_ids: frozenset[str]
    quote: tuple[str, str, str] | None = None
    weeks: frozenset[tuple[str, str]] = frozenset()
    match_week: tuple[str, str] | None = None
    feature: str | None = None


@dataclass
class Plot:
    """Seasons in which anomalies are planted, from `since` to `until`, and those that have been."""

    seasons: Seasons
    since: datetime
    until: datetime
    chance: np.random.Generator
    planted: list[Planted] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    used_weeks: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        day = week_of(pl.col("kickoff_at")).dt.strftime("%Y-%m-%d")
        inside = pl.col("kickoff_at").is_between(self.since, self.until)
        self.area = self.seasons.matches.filter(inside).with_columns(week=day)

    def change_quotes(self, where: pl.Expr, **columns: pl.Expr) -> None:
        changed = [pl.when(where).then(value).otherwise(pl.col(name)).cast(self.seasons.quotes.schema[name]).alias(name)
                   for name, value in columns.items()]  # fmt: skip
        self.seasons = replace(self.seasons, quotes=self.seasons.quotes.with_columns(changed))

    def change_matches(self, where: pl.Expr, **columns: pl.Expr) -> None:
        kinds = self.seasons.matches.schema
        changed = [pl.when(where).then(value).otherwise(pl.col(name)).cast(kinds[name]).alias(name)
                   for name, value in columns.items()]  # fmt: skip
        self.seasons = replace(self.seasons, matches=self.seasons.matches.with_columns(changed))

    def free(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of matches that bear nothing yet."""
        return frame.filter(~pl.col("match_id").is_in(list(self.used)))

    def shuffled(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        order = self.chance.permutation(frame.height)
        return frame[order].to_dicts() if frame.height else []

    def take(self, kind: str, rows: list[dict[str, Any]]) -> None:
        """These matches bear an anomaly of that kind."""
        for row in rows:
            week = (row["competition"], row["week"])
            self.used.add(row["match_id"])
            self.planted.append(Planted(kind, "match", frozenset({row["match_id"]}), match_week=week))
