"""Price ticks at volume: stored in monthly partitions, and only where the price changed.

The quotes of one match, source, bookmaker, market, stage (`is_closing`) and line are a *series*. Its versions have
one order everywhere (`TIME_ORDER`): by when they could be used, then by when they were seen, then by their place in
the body. The quote standing at an instant is the last version known then; a tick that repeats it is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from io import BytesIO
from typing import Final

import polars as pl
from psycopg import sql

from touchline.database.engine import Connection, rows
from touchline.landing.copying import copy_frame, uuid_array

SERIES: Final = ("fixture_key", "source", "bookmaker", "market", "is_closing", "line")
PRICES: Final = ("price_home", "price_draw", "price_away", "price_over", "price_under")
# Prices come last, only so that two prices in the same place of one body have a fixed order.
TIME_ORDER: Final = ("known_at", "observed_at", "payload_id", "quoted_at", "row_number", *PRICES)
COLUMNS: Final = (*SERIES, *TIME_ORDER)
# Bounds the memory beyond the caller's own frame: a chunk as text, and its last quotes.
CHUNK: Final = 250_000

_TABLE = sql.Identifier("landing", "odds_observation")
_UTC = pl.Datetime("us", "UTC")
_SCHEMA: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    "fixture_key": pl.String, "source": pl.String, "bookmaker": pl.String, "market": pl.String,
    "is_closing": pl.Boolean, "line": pl.Float32, "known_at": _UTC, "observed_at": _UTC, "payload_id": pl.Int64,
    "quoted_at": _UTC, "row_number": pl.Int32, **dict.fromkeys(PRICES, pl.Float32),
}  # fmt: skip


# Only partitions between the first and last month with quotes of these matches are read. The bounds are constants, so
# that the planner can skip the others. The last version of a series is the greatest array of TIME_ORDER, found by one
# hash aggregate: sorting takes three times as long, and a join needs statistics that a new month does not have.
# Doubles hold microseconds (until 2106), ids (to 2^53) and prices exactly.
_LAST = sql.SQL("""
select {series}, {values} from (
    select {series}, max(array[{order}]::double precision[]) as last from landing.odds_observation
    where {condition} and observed_at >= {start} and observed_at < {end}
    group by {series}
) as newest
order by {series}
""")
_TIMES: Final = ("known_at", "observed_at", "quoted_at")


def _names(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _last(condition: sql.Composable, start: sql.Composable, end: sql.Composable) -> sql.Composed:
    """The query for the last version of every series among the quotes that meet the condition, as `COLUMNS`."""
    types = {"payload_id": "bigint", "row_number": "integer"} | dict.fromkeys(PRICES, "real")
    order, values = [], []
    for place, name in enumerate(TIME_ORDER, start=1):
        is_time = name in _TIMES
        order.append(sql.SQL("date_part('epoch', {})" if is_time else "{}").format(sql.Identifier(name)))
        value = "to_timestamp(last[{}]) as {}" if is_time else f"last[{{}}]::{types[name]} as {{}}"
        values.append(sql.SQL(value).format(sql.Literal(place), sql.Identifier(name)))
    return _LAST.format(
        series=_names(SERIES), values=sql.SQL(", ").join(values), order=sql.SQL(", ").join(order),
        condition=condition, start=start, end=end,
    )  # fmt: skip


def ensure_partitions(connection: Connection, as_of: datetime) -> None:
    """Create the partitions of the month of `as_of` and of the next one, so that none is missing at a month's start."""
    connection.execute("select landing.ensure_odds_partitions(%s)", (as_of,))


def write_quotes(connection: Connection, quotes: pl.DataFrame, last: pl.DataFrame | None = None) -> int:
    """Store the quotes of a batch that differ from the version before them, in the caller's transaction.

    `quotes` holds `COLUMNS` in any order, rows in any order: fixture_key as `str(UUID)`, prices and line as Float32,
    times as Datetime("us", "UTC"). A batch may hold several versions of a quote and several payloads. The caller
    holds the source's lock (`payloads.lock_source`). A late version, older than the last one stored, is kept unless
    its prices equal those of that one or of the late version before it. `last` are the `last_quotes` of its matches, if
    the transaction has read them. Returns the number of rows stored.
    """
    if quotes.is_empty():
        return 0
    _lock(connection)
    for month in quotes["observed_at"].dt.truncate("1mo").unique().sort():
        connection.execute("select landing.ensure_odds_partition(%s)", (month,))
    ordered = quotes.select(COLUMNS).sort(SERIES + TIME_ORDER, nulls_last=True)
    stored = 0
    for chunk in ordered.iter_slices(CHUNK):
        months = _months(connection, chunk)
        # A chunk is compared with the one before it, too.
        is_whole = chunk.height == ordered.height
        before = last if last is not None and is_whole else _last_quotes(connection, months)
        changed = _changes(chunk, months, before)
        copy_frame(connection, _TABLE, changed)
        _note_months(connection, changed, months)
        stored += changed.height
    return stored


def last_quotes(connection: Connection, keys: pl.Series, source: str) -> pl.DataFrame:
    """The last stored version of every series of these matches (`fixture_key`) and this source, as `COLUMNS`."""
    _lock(connection)
    return _last_quotes(
        connection, _months(connection, pl.DataFrame({"fixture_key": keys, "source": source}))
    )


def _lock(connection: Connection) -> None:
    """Before anything is read, so that a compaction of these months waits for this batch, or this batch for it."""
    connection.execute(sql.SQL("lock table only {} in row exclusive mode").format(_TABLE))


def _changes(chunk: pl.DataFrame, months: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Rows of a chunk, in series and time order, whose prices differ from those of the version before.

    `before` are the last stored versions of the matches that have `months`.
    """
    if months.is_empty():
        return chunk.filter(_CHANGES_WITHIN)
    has_history = pl.struct("fixture_key", "source").is_in(
        months.select(pl.struct("fixture_key", "source")).to_series().implode()
    )
    fresh, known = chunk.filter(~has_history), chunk.filter(has_history)
    last = before.select(
        *SERIES, *(pl.col(name).alias(f"last_{name}") for name in TIME_ORDER), has_last=pl.lit(True)
    )
    known = known.join(
        last, on=list(SERIES), how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(is_late=pl.col("has_last").fill_null(False) & _is_before_last())
    return pl.concat([
        fresh.filter(_CHANGES_WITHIN),
        known.filter(
            pl.when(_same_as_row_before((*SERIES, "is_late")))
            .then(_prices_differ("", shift=True))
            .otherwise(pl.col("has_last").is_null() | _prices_differ("last_", shift=False))
        ).select(COLUMNS),
    ])  # fmt: skip


def _months(connection: Connection, chunk: pl.DataFrame) -> pl.DataFrame:
    """The months with stored quotes of each match and source in the chunk."""
    found = rows(
        connection,
        "select fixture_key::text as fixture_key, source, month from landing.odds_month "
        "where fixture_key = any(%s::uuid[]) and source = any(%s)",
        (uuid_array(chunk["fixture_key"].unique()), chunk["source"].unique().to_list()),
    )
    return pl.DataFrame(found, schema={"fixture_key": pl.String, "source": pl.String, "month": _UTC})


def _last_quotes(connection: Connection, months: pl.DataFrame) -> pl.DataFrame:
    """The last stored version of every series of these matches, as `COLUMNS`."""
    if months.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    statement = _last(
        sql.SQL("fixture_key = any({}::uuid[]) and source = any({})").format(
            uuid_array(months["fixture_key"].unique()), months["source"].unique().to_list()
        ),
        sql.Literal(months["month"].min()),
        sql.Literal(months["month"].dt.offset_by("1mo").max()),
    )
    lines = BytesIO()
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("copy ({}) to stdout (format csv)").format(statement)) as copy,
    ):
        for block in copy:
            lines.write(block)
    lines.seek(0)
    as_text = {name: pl.String if dtype in (pl.Boolean, _UTC) else dtype for name, dtype in _SCHEMA.items()}
    return pl.read_csv(lines, has_header=False, schema=as_text).with_columns(
        pl.col("is_closing") == "t",
        # The server writes 2024-01-31 17:00:00+00, with a fraction where there is one.
        pl.col(_TIMES).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us"),
    )


def _note_months(connection: Connection, stored: pl.DataFrame, noted: pl.DataFrame) -> None:
    key = ["fixture_key", "source", "month"]
    months = stored.select("fixture_key", "source", month=pl.col("observed_at").dt.truncate("1mo")).unique()
    copy_frame(
        connection, sql.Identifier("landing", "odds_month"), months.join(noted, on=key, how="anti").sort(key)
    )


def _same_as_row_before(group: Sequence[str]) -> pl.Expr:
    return pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in group)


def _prices_differ(prefix: str, *, shift: bool) -> pl.Expr:
    others = [pl.col(prefix + name).shift(1) if shift else pl.col(prefix + name) for name in PRICES]
    return pl.any_horizontal(
        pl.col(name).ne_missing(other) for name, other in zip(PRICES, others, strict=True)
    )


_CHANGES_WITHIN: Final = ~_same_as_row_before(SERIES) | _prices_differ("", shift=True)


def _is_before_last() -> pl.Expr:
    """True where the row comes before the last stored version of its series in `TIME_ORDER` (lexicographic)."""

    def before(rest: pl.Expr, name: str) -> pl.Expr:
        own, last = pl.col(name), pl.col(f"last_{name}")
        # A missing price sorts last.
        is_less = pl.when(own.is_null()).then(False).otherwise(last.is_null() | (own < last))
        return is_less | (own.eq_missing(last) & rest)

    return reduce(before, reversed(TIME_ORDER), pl.lit(False))
