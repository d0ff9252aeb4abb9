"""Findings held against what was planted: which anomalies were found, and which findings were false."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from benchmarks.planted_plot import Planted

# A level counts as found while the alarm comes within half a season; a change of a week within three weeks of it.
FOUND_WITHIN = timedelta(weeks=16)
ECHO = timedelta(weeks=6)


@dataclass
class Count:
    """Planted and found anomalies by kind; true, false and consequent findings by detector.

    A finding is true when it names a planted anomaly, false when nothing planted has touched what it names, and
    consequent otherwise (a second finding on the same thing, a week that a wrong row has moved): consequent ones count
    for nothing.
    """

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    true: Counter[str] = field(default_factory=Counter)
    consequent: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)

    def add(self, other: Count) -> None:
        """Take in the counts of another block."""
        for name in ("planted", "found", "true", "consequent", "false"):
            getattr(self, name).update(getattr(other, name))

    @property
    def recall(self) -> float:
        """Share of the planted anomalies that were found."""
        return sum(self.found.values()) / max(1, sum(self.planted.values()))

    @property
    def precision(self) -> float:
        """Anomalies found, of those and all false findings; every false finding counts, also two on one thing."""
        found = sum(self.found.values())
        return found / max(1, found + sum(self.false.values()))


def count(findings: pl.DataFrame, planted: Sequence[Planted]) -> tuple[Count, pl.DataFrame]:
    """The counts, and the false findings."""
    by_match: dict[str, list[int]] = {}
    by_week: dict[tuple[str, str], list[int]] = {}
    for number, each in enumerate(planted):
        for match_id in each.match_ids:
            by_match.setdefault(match_id, []).append(number)
        for week in each.weeks:
            by_week.setdefault(week, []).append(number)
    counted = Count(planted=Counter(each.kind for each in planted))
    hit: set[int] = set()
    false = []
    for row in findings.iter_rows(named=True):
        near = list(_near(row, planted, by_match, by_week))
        direct = [number for number in near if _names(row, planted[number])]
        hit.update(direct)
        if direct:
            counted.true[row["detector"]] += 1
        elif near:
            counted.consequent[row["detector"]] += 1
        else:
            counted.false[row["detector"]] += 1
            false.append(row)
    counted.found = Counter(planted[number].kind for number in hit)
    return counted, pl.DataFrame(false, schema=findings.schema)


def _near(
    row: dict[str, Any], planted: Sequence[Planted], by_match: dict[str, list[int]],
    by_week: dict[tuple[str, str], list[int]],
) -> Iterable[int]:  # fmt: skip
    """Planted anomalies that touch what a finding names."""
    parts = row["subject"].split("/")
    if row["subject_kind"] == "quote":
        for number in by_match.get(row["match_id"], []):
            quote = planted[number].quote
            # An honest bookmaker blamed for another's price is a false finding.
            if quote is None or quote[:2] == (parts[1], parts[2]):
                yield number
    elif row["subject_kind"] == "match":
        yield from by_match.get(row["match_id"], [])
    elif row["subject_kind"] == "feature":
        yield from (number for number, each in enumerate(planted) if each.feature == row["subject"])
    elif row["subject_kind"] == "competition_week":
        yield from by_week.get((parts[0], parts[1]), [])
        yield from (
            number
            for number, each in enumerate(planted)
            if each.level == "match" and each.match_week == (parts[0], parts[1])
        )
    else:
        day = date.fromisoformat(parts[2])
        weeks = {
            (parts[0], (day - timedelta(days=7 * back)).isoformat()) for back in range(ECHO.days // 7 + 1)
        }
        yield from (number for week in weeks for number in by_week.get(week, []))


def _names(row: dict[str, Any], planted: Planted) -> bool:
    """Whether a finding names a planted anomaly itself, at its own grain."""
    parts = row["subject"].split("/")
    if planted.level == "quote":
        return row["subject_kind"] == "quote" and planted.quote == (parts[1], parts[2], parts[4])
    if planted.level == "match":
        return row["subject_kind"] == "match"
    if planted.level == "feature":
        return row["subject_kind"] == "feature"
    if planted.level == "week":
        return row["subject_kind"] == "competition_week"
    if row["subject_kind"] not in ("competition_week", "competition_series"):
        return False
    week = date.fromisoformat(parts[1] if row["subject_kind"] == "competition_week" else parts[2])
    first = date.fromisoformat(min(week for _, week in planted.weeks))
    return first <= week <= first + FOUND_WITHIN
