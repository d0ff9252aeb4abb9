"""Forecasts of the same matches side by side: scores, costs, and our differences to the others with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from touchline.forecasting.logistic import Floats, Ints
from touchline.forecasting.metrics import (
    Difference,
    Scores,
    log_loss,
    paired_difference,
    resample_matchdays,
    rps,
    score,
)

SEED = 20260801
SCORE_HEADINGS = (
    "forecast", "RPS", "log loss", "accuracy", "fit, s a season", "predict, s per 1,000 matches",
)  # fmt: skip
PAIR_HEADINGS = ("pair", "RPS", "log loss")


@dataclass(frozen=True)
class Cost:
    """Processor seconds to fit what forecasts one season, and to forecast 1,000 matches."""

    fit_seconds: float
    predict_seconds: float


@dataclass(frozen=True)
class Pair:
    """What one of our forecasts loses to another; below zero, ours is better."""

    ours: str
    other: str
    rps: Difference
    log_loss: Difference


@dataclass(frozen=True)
class Comparison:
    """`n` of `n_played` matches have every forecast. `scores` go from the best log loss down."""

    title: str
    n: int
    n_played: int
    scores: Mapping[str, Scores]
    costs: Mapping[str, Cost]
    pairs: Sequence[Pair]

    @property
    def heading(self) -> str:
        """The title, and how many matches the figures are of."""
        return f"{self.title}; the same {self.n:,} matches for everybody, of {self.n_played:,} played"

    def tables(self) -> list[Table]:
        """For a screen."""
        scores = Table(*SCORE_HEADINGS, title=self.heading)
        pairs = Table(*PAIR_HEADINGS, title="Differences with 95 % interval (below zero: ours is better)")
        for table, rows in ((scores, self._score_rows()), (pairs, self._pair_rows())):
            for column in table.columns[1:]:
                column.justify = "right"
            for row in rows:
                # Brackets are markup to rich.
                table.add_row(*(cell.replace("[", "\\[") for cell in row))
        return [scores, pairs]

    def markdown(self) -> str:
        """For a document."""
        return "\n\n".join(
            (
                f"**{self.heading}**",
                markdown_table(SCORE_HEADINGS, self._score_rows()),
                "Differences with their 95 % interval; below zero, ours is better.",
                markdown_table(PAIR_HEADINGS, self._pair_rows()),
            )
        )

    def _score_rows(self) -> list[list[str]]:
        return [
            [name, f"{each.rps:.5f}", f"{each.log_loss:.5f}", f"{each.accuracy:.4f}", *_cost(self.costs.get(name))]
            for name, each in self.scores.items()
        ]  # fmt: skip

    def _pair_rows(self) -> list[list[str]]:
        return [
            [f"{pair.ours} - {pair.other}", interval(pair.rps), interval(pair.log_loss)]
            for pair in self.pairs
        ]


def compare(
    title: str,
    n_played: int,
    outcomes: Ints,
    matchdays: NDArray[Any],
    said: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]],
    costs: Mapping[str, Cost],
) -> Comparison:
    """Score forecasts (n, 3) on the matches that all of them cover, and take the differences of `pairs`, ours first.

    `n_played` is how many there were to forecast. Differences have a bootstrap over whole matchdays. Raises
    ValueError when no match is covered by all.
    """
    is_common = np.all([np.isfinite(p).all(axis=1) for p in said.values()], axis=0)
    outcomes = outcomes[is_common]
    common = {name: p[is_common] for name, p in said.items()}
    scores = {name: score(p, outcomes) for name, p in common.items()}
    resamples = resample_matchdays(matchdays[is_common], SEED)
    ranked = dict(sorted(scores.items(), key=lambda item: item[1].log_loss))
    losses = {name: (rps(p, outcomes), log_loss(p, outcomes)) for name, p in common.items()}
    differences = [
        Pair(
            first,
            second,
            *(
                paired_difference(*each, resamples)
                for each in zip(losses[first], losses[second], strict=True)
            ),
        )
        for first, second in pairs
    ]
    return Comparison(title, len(outcomes), n_played, ranked, costs, differences)


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; every column but the first is aligned right."""
    alignment = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, alignment, *rows))


def interval(found: Difference) -> str:
    """A difference with its interval, as the tables show it."""
    return f"{found.difference:+.5f} [{found.low:+.5f}, {found.high:+.5f}]"


def replace_section(document: Path, name: str, text: str) -> None:
    """Write `text` between the marks of that name. Raises ValueError when the document lacks one of them."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found_begin, rest = document.read_text().partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(
            f"{document} has no place for this: put {begin} and {end} where the tables should be"
        )
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _cost(cost: Cost | None) -> tuple[str, str]:
    return ("", "") if cost is None else (f"{cost.fit_seconds:.1f}", f"{cost.predict_seconds:.3f}")
