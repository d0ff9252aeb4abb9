"""Price ticks at volume: loading them, against a plain COPY of the same rows.

Simulated and deterministic: matches spread over 24 months, 20 bookmakers quoting three markets each, 33 prices a
series in the ten days before kick-off, more often towards its end. Every tick moves its price, so all are stored.
Batches come in order of time, as a backfill would bring them. `TICKS` sets their number (20 million when not set).

Loading and plain COPY take turns, batch by batch, so that other work on the machine meets both.
"""

from __future__ import annotations

import io
import os
import resource
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks.own_server import own_server
from touchline.database.engine import Connection, connect, scalar
from touchline.landing.ticks import COLUMNS, write_quotes
from touchline.settings import Settings

N_TICKS = int(os.environ.get("TICKS", "20_000_000"))
BATCH = 500_000
BOOKMAKERS = [f"{name}_{number}" for name in ("north", "south", "east", "west") for number in range(5)]
MARKETS = {"1x2": 0.0, "over_under": 2.5, "asian_handicap": -0.5}
SHAPE = (len(BOOKMAKERS), len(MARKETS), 33)
MATCH_TICKS = int(np.prod(SHAPE))
START, END = np.datetime64("2024-01-01", "us"), np.datetime64("2026-01-01", "us")
LEAD = np.timedelta64(10, "D").astype("timedelta64[us]")
GROUP = 50


@dataclass
class Loading:
    """Rows stored, and seconds by way of loading."""

    seconds: float = 0.0
    plain_seconds: float = 0.0
    stored: int = 0


def main() -> None:
    """Load into a server of its own, print rates, ratio and memory."""
    with own_server() as settings:
        loading = _load(settings)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        with connect(settings, "transform") as connection:
            n_partitions = scalar(
                connection,
                "select count(*) from pg_inherits where inhparent = 'landing.odds_observation'::regclass",
            )
            n_rows = scalar(connection, "select count(*) from landing.odds_observation")
            assert n_rows == loading.stored == N_TICKS, "every tick moves its price, so every tick is stored"
    table = Table(title=f"{N_TICKS:,} price ticks in {n_partitions} monthly partitions")
    for name in ("what", "seconds", "rows/s", "ratio"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for what, seconds in (
        ("write_quotes (compare with the last quotes, sort, index)", loading.seconds),
        ("plain COPY of the same rows, no index", loading.plain_seconds),
    ):
        ratio = loading.plain_seconds / seconds
        table.add_row(what, f"{seconds:.1f}", f"{N_TICKS / seconds:,.0f}", f"{ratio:.2f}")
    console = Console()
    console.print(table)
    console.print(f"Peak resident memory of the loading process: {peak:.2f} GiB, ticks being made included.")


def _load(settings: Settings) -> Loading:
    loading = Loading()
    with connect(settings, "owner") as owner, connect(settings, "ingest") as ingest:
        owner.execute("create table landing.plain (like landing.odds_observation)")
        for connection in (owner, ingest):
            connection.execute("set synchronous_commit = off")
            connection.commit()
        for batch in batches(N_TICKS, BATCH):
            started = time.perf_counter()
            loading.stored += write_quotes(ingest, batch)
            ingest.commit()
            loaded = time.perf_counter()
            _plain_copy(owner, batch)
            owner.commit()
            loading.seconds += loaded - started
            loading.plain_seconds += time.perf_counter() - loaded
    return loading


def _plain_copy(connection: Connection, batch: pl.DataFrame) -> None:
    lines = io.BytesIO()
    batch.write_csv(lines, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f+00")
    statement = f"copy landing.plain ({', '.join(batch.columns)}) from stdin (format csv)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[arg-type]
        copy.write(lines.getbuffer())


def batches(total: int, size: int) -> Iterator[pl.DataFrame]:
    """`total` ticks in order of time, in frames of `size`."""
    n_matches = -(-total // MATCH_TICKS)
    step = (END - START - LEAD) // (n_matches + 1)
    all_kickoffs = START + LEAD + step * np.arange(1, n_matches + 1)
    pool, n_made, n_given = pl.DataFrame(), 0, 0
    while n_given < total:
        while n_made < n_matches and _n_before(pool, all_kickoffs[n_made] - LEAD) < size:
            group = _ticks(all_kickoffs[n_made : n_made + GROUP], n_made)
            pool = group if pool.is_empty() else pl.concat([pool, group])
            n_made += GROUP
        ordered = pool.sort("observed_at", maintain_order=True)
        batch = ordered.head(min(size, total - n_given))
        n_given += batch.height
        pool = ordered.slice(batch.height)
        yield batch.rechunk()


def _n_before(pool: pl.DataFrame, moment: np.datetime64) -> int:
    """Ticks of the pool that come before `moment`, when the next match begins to be quoted."""
    if pool.is_empty():
        return 0
    return int((pool["observed_at"] < moment.item().replace(tzinfo=UTC)).sum())


def _ticks(group: npt.NDArray[np.datetime64], first: int) -> pl.DataFrame:
    chance = np.random.default_rng(first)
    keys = [str(uuid.UUID(bytes=chance.bytes(16))) for _ in group]
    shape = (len(group), *SHAPE)
    match, bookmaker, market, _ = (axis.ravel() for axis in np.indices(shape, dtype=np.int32))
    # The cube crowds the ticks towards kick-off; they end a second before it.
    before = np.sort(chance.random(shape) ** 3, axis=-1)[..., ::-1] * LEAD.astype(np.int64)
    observed = group[:, None, None, None] - before.astype("timedelta64[us]") - np.timedelta64(1, "s")
    moves = chance.choice([-0.03, -0.02, -0.01, 0.01, 0.02, 0.03], size=shape)

    def price(opening: float) -> npt.NDArray[np.float32]:
        return (opening + np.cumsum(moves, axis=-1)).astype(np.float32).ravel()

    names, lines = pl.Series(MARKETS.keys()), pl.Series(MARKETS.values(), dtype=pl.Float32)
    one_x_two, over_under = pl.col("market") == "1x2", pl.col("market") == "over_under"
    moment = pl.Series(
        observed.ravel().astype("datetime64[s]").astype("datetime64[us]")
    ).dt.replace_time_zone("UTC")
    frame = pl.DataFrame({
        "fixture_key": pl.Series(keys).gather(match),
        "source": pl.Series(["the_odds_api"]).new_from_index(0, len(match)),
        "bookmaker": pl.Series(BOOKMAKERS).gather(bookmaker),
        "market": names.gather(market),
        "line": lines.gather(market),
        "first": price(2.5), "second": price(3.4), "third": price(3.1),
        "observed_at": moment,
        "row_number": np.arange(len(match), dtype=np.int32),
    })  # fmt: skip
    return frame.with_columns(
        is_closing=False,
        known_at="observed_at",
        quoted_at="observed_at",
        payload_id=pl.col("observed_at").dt.epoch("s") // 300,
        price_home=pl.when(~over_under).then("first"),
        price_draw=pl.when(one_x_two).then("second"),
        price_away=pl.when(~over_under).then("third"),
        price_over=pl.when(over_under).then("first"),
        price_under=pl.when(over_under).then("third"),
    ).select(COLUMNS)


if __name__ == "__main__":
    main()
