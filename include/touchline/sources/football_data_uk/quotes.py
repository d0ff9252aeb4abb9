"""Prices of a football-data.co.uk file: one row a bookmaker, market and stage; bad prices are set aside."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from touchline.sources.football_data_uk.columns import PRICE_COLUMNS, QuoteColumns, quote_columns
from touchline.sources.football_data_uk.table import Table
from touchline.sources.source import Rejection

HIGHEST_PRICE = 1001.0
# Sum of 1/price. Over 1.7 million real 1X2 triples, 99.99 % lie between 1.01 and 1.21 (the best prices of the
# whole market between 0.78 and 1.11); what lies outside these bounds are typing errors such as 1.2 for 3.2.
BOOKMAKER_BOUNDS = (0.97, 1.35)
MARKET_MAXIMUM_BOUNDS = (0.80, 1.35)

QUOTE_SCHEMA = {
    "fixture_key": pl.String, "bookmaker": pl.String, "market": pl.String, "line": pl.Float32,
    "is_closing": pl.Boolean, **dict.fromkeys(PRICE_COLUMNS, pl.Float32),
    "row_number": pl.Int32, "quoted_at": pl.Datetime("us", "UTC"), "published_at": pl.Datetime("us", "UTC"),
}  # fmt: skip


def read_quotes(table: Table, matches: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejection]]:
    """All quotes of the parsed rows, and the prices that were set aside.

    `matches` holds one row a parsed row (row_number from 1, kickoff_at, prices_collected_at,
    result_published_at). A quote is kept whole or not at all.
    """
    position = {name: index for index, name in enumerate(table.header)}
    rows = [table.rows[number - 1] for number in matches["row_number"]]
    frames, rejections = [], []
    for columns in quote_columns(table.header):
        wanted = [theirs for _, theirs in columns.prices] + ([columns.line_column] if columns.line_column else [])
        texts = {
            name: pl.Series(name, [row[position[name]] for row in rows], dtype=pl.String).str.strip_chars()
            for name in wanted
        }
        if all((series == "").all() for series in texts.values()):
            continue
        good, bad = _read_one(columns, matches.with_columns(*texts.values()))
        frames.append(good)
        rejections.extend(bad)
    quotes = pl.concat(frames) if frames else pl.DataFrame(schema=QUOTE_SCHEMA)
    # A season file can hold the same bookmaker under an old and a new name; the first stands.
    key = ["fixture_key", "bookmaker", "market", "is_closing", "line"]
    return quotes.unique(key, keep="first", maintain_order=True), rejections


def _read_one(columns: QuoteColumns, frame: pl.DataFrame) -> tuple[pl.DataFrame, Iterator[Rejection]]:
    names = [theirs for _, theirs in columns.prices]
    given = frame.filter(pl.any_horizontal(pl.col(name) != "" for name in names))
    prices = [pl.col(name).cast(pl.Float64, strict=False) for name in names]
    line = pl.col(columns.line_column).cast(pl.Float64, strict=False) if columns.line_column else pl.lit(_line(columns))
    low, high = MARKET_MAXIMUM_BOUNDS if columns.bookmaker == "market_maximum" else BOOKMAKER_BOUNDS
    overround = pl.sum_horizontal(1 / price for price in prices)
    unusable = [~price.is_between(1.0, HIGHEST_PRICE, closed="right").fill_null(value=False) for price in prices]
    is_missing = pl.any_horizontal(pl.col(name) == "" for name in names)
    problem = (
        pl.when(is_missing).then(pl.lit("quote_incomplete"))
        .when(pl.any_horizontal(unusable)).then(pl.lit("price_invalid"))
        .when(~overround.is_between(low, high)).then(pl.lit("overround_impossible"))
        .when(line.is_null() | ~line.is_finite()).then(pl.lit("line_missing"))
    )  # fmt: skip
    judged = given.with_columns(problem=problem, overround=overround, line_value=line)
    at = pl.col("kickoff_at") if columns.is_closing else pl.col("prices_collected_at")
    ours = dict(columns.prices)
    good = judged.filter(pl.col("problem").is_null()).select(
        "fixture_key",
        bookmaker=pl.lit(columns.bookmaker),
        market=pl.lit(columns.market),
        line=pl.col("line_value").cast(pl.Float32),
        is_closing=pl.lit(columns.is_closing),
        **{
            name: (pl.col(ours[name]).cast(pl.Float64) if name in ours else pl.lit(None)).cast(pl.Float32)
            for name in PRICE_COLUMNS
        },
        row_number="row_number",
        quoted_at=at,
        # Closing prices come out with the result.
        published_at=pl.col("result_published_at") if columns.is_closing else at,
    )
    bad = judged.filter(pl.col("problem").is_not_null())
    return good, (_rejection(names, row, (low, high)) for row in bad.iter_rows(named=True))


def _line(columns: QuoteColumns) -> float:
    return 2.5 if columns.market == "over_under" else 0.0


def _rejection(names: list[str], row: dict[str, object], bounds: tuple[float, float]) -> Rejection:
    reasons = {
        "quote_incomplete": "a quote needs all its prices",
        "price_invalid": f"a decimal price lies above 1 and up to {HIGHEST_PRICE:.0f}",
        "overround_impossible": f"the implied probabilities sum to {row['overround']:.3f}, "
        f"which is not in [{bounds[0]}, {bounds[1]}]",
        "line_missing": "a handicap quote needs its line",
    }
    rule = str(row["problem"])
    return Rejection(
        row_number=int(str(row["row_number"])),
        scope="price",
        rule=rule,
        field="/".join(names),
        value="/".join(str(row[name]) for name in names),
        reason=reasons[rule],
    )
