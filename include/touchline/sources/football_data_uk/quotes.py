"""Prices of a football-data.co.uk file: one row per bookmaker, market and stage. Bad prices are rejected."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import polars as pl

from touchline.sources.football_data_uk.columns import PRICE_COLUMNS, QuoteColumns
from touchline.sources.football_data_uk.table import Table
from touchline.sources.source import Rejection

HIGHEST_PRICE = 1001.0
# Sum of 1/price. Over 1.7 million real 1X2 triples, 99.99 % lie between 1.01 and 1.21 (the best prices of the
# whole market between 0.78 and 1.11). Values outside the bounds below are typing errors such as 1.2 for 3.2.
BOOKMAKER_BOUNDS = (0.97, 1.35)
MARKET_MAXIMUM_BOUNDS = (0.80, 1.35)

QUOTE_COLUMNS = (
    pl.col("fixture_key"), pl.col("bookmaker"), pl.col("market"),
    pl.col("line_number").cast(pl.Float32).alias("line"), pl.col("is_closing"),
    *(pl.col(f"{name}_number").cast(pl.Float32).alias(name) for name in PRICE_COLUMNS),
    pl.col("row_number"), pl.col("quoted_at"), pl.col("published_at"),
)  # fmt: skip

_CELL_SCHEMA = {
    "match": pl.Int32, "quote": pl.Int32, **dict.fromkeys(PRICE_COLUMNS, pl.String), "line": pl.String,
}  # fmt: skip


def read_quotes(
    table: Table, offered: Sequence[QuoteColumns], matches: pl.DataFrame
) -> tuple[pl.DataFrame, list[Rejection]]:
    """All quotes of the parsed rows, and the rejected prices.

    `offered` says which columns make quotes. `matches` has one row per parsed row (row_number from 1, kickoff_at,
    prices_collected_at, result_published_at). A quote is kept whole or not at all.
    """
    rows = [table.rows[number - 1] for number in matches["row_number"]]
    judged = _judge(_cells(table, rows, offered), matches)
    is_good = pl.col("problem").is_null()
    good = judged.filter(is_good).select(QUOTE_COLUMNS)
    rejections = [
        _rejection(offered[row["quote"]], row) for row in judged.filter(~is_good).iter_rows(named=True)
    ]
    # A season file can hold the same bookmaker under an old and a new name; the first stands.
    key = ["fixture_key", "bookmaker", "market", "is_closing", "line"]
    return good.unique(key, keep="first", maintain_order=True), rejections


def _cells(table: Table, rows: list[list[str]], offered: Sequence[QuoteColumns]) -> pl.DataFrame:
    """One row per match and offered quote with at least one price cell filled; cells are still text.

    One frame for the whole file, because a frame per bookmaker would cost more than the work in it.
    """
    position = {name: index for index, name in enumerate(table.header)}
    parts: dict[str, list[Any]] = {name: [] for name in _CELL_SCHEMA}
    for number, columns in enumerate(offered):
        prices_of = itemgetter(*(position[theirs] for _, theirs in columns.prices))
        filled = [(index, cells) for index, row in enumerate(rows) if any(cells := prices_of(row))]
        if not filled:
            continue
        indices = [index for index, _ in filled]
        by_column = zip(*(cells for _, cells in filled), strict=True)
        prices = dict(zip((ours for ours, _ in columns.prices), by_column, strict=True))
        parts["match"] += indices
        parts["quote"] += [number] * len(filled)
        for name in PRICE_COLUMNS:
            parts[name] += prices.get(name, [None] * len(filled))
        if columns.line_column is None:
            parts["line"] += ["2.5" if columns.market == "over_under" else "0"] * len(filled)
        else:
            place = position[columns.line_column]
            parts["line"] += [rows[index][place] for index in indices]
    return pl.DataFrame(parts, schema=_CELL_SCHEMA).join(
        pl.DataFrame(
            {
                "quote": range(len(offered)),
                "bookmaker": [columns.bookmaker for columns in offered],
                "market": [columns.market for columns in offered],
                "is_closing": [columns.is_closing for columns in offered],
            },
            schema={"quote": pl.Int32, "bookmaker": pl.String, "market": pl.String, "is_closing": pl.Boolean},
        ),
        on="quote",
        maintain_order="left",
    )


def _judge(cells: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    """Cells with their times, prices as numbers, and the `problem` of unusable ones (else null)."""
    texts = [pl.col(name) for name in PRICE_COLUMNS]
    numbers = [pl.col(f"{name}_number") for name in PRICE_COLUMNS]
    low, high = (
        pl.when(pl.col("bookmaker") == "market_maximum").then(pl.lit(maximum)).otherwise(pl.lit(usual))
        for maximum, usual in zip(MARKET_MAXIMUM_BOUNDS, BOOKMAKER_BOUNDS, strict=True)
    )
    usable = [
        text.is_null() | number.is_between(1.0, HIGHEST_PRICE, closed="right").fill_null(value=False)
        for text, number in zip(texts, numbers, strict=True)
    ]
    early = pl.col("prices_collected_at")
    return (
        cells.lazy().join(
            matches.lazy().select(
                "fixture_key", "row_number", "kickoff_at", "prices_collected_at", "result_published_at",
                match=pl.int_range(pl.len(), dtype=pl.Int32),
            ),
            on="match",
            maintain_order="left",
        )
        .with_columns(
            *(text.cast(pl.Float64, strict=False).alias(f"{text.meta.output_name()}_number") for text in texts),
            line_number=pl.col("line").cast(pl.Float64, strict=False),
        )
        .with_columns(overround=pl.sum_horizontal(1 / number for number in numbers), low=low, high=high)
        .with_columns(
            problem=pl.when(pl.any_horizontal(text == "" for text in texts)).then(pl.lit("quote_incomplete"))
            .when(~pl.all_horizontal(usable)).then(pl.lit("price_invalid"))
            .when(~pl.col("overround").is_between(pl.col("low"), pl.col("high")))
            .then(pl.lit("overround_impossible"))
            .when(~pl.col("line_number").is_finite().fill_null(value=False)).then(pl.lit("line_missing")),
            quoted_at=pl.when("is_closing").then("kickoff_at").otherwise(early),
            # Closing prices come out with the result.
            published_at=pl.when("is_closing").then("result_published_at").otherwise(early),
        )
        .collect()
    )  # fmt: skip


def _rejection(columns: QuoteColumns, row: dict[str, Any]) -> Rejection:
    reasons = {
        "quote_incomplete": "a quote needs all its prices",
        "price_invalid": f"a decimal price must be above 1 and at most {HIGHEST_PRICE:.0f}",
        "overround_impossible": f"the implied probabilities sum to {row['overround']:.3f}, "
        f"which is not in [{row['low']}, {row['high']}]",
        "line_missing": "a handicap quote needs its line",
    }
    return Rejection(
        row_number=row["row_number"],
        scope="price",
        rule=row["problem"],
        field="/".join(theirs for _, theirs in columns.prices),
        value="/".join(row[ours] for ours, _ in columns.prices),
        reason=reasons[row["problem"]],
    )
