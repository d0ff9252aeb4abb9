"""Price ticks for tests: a test names only what matters to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from touchline.database.engine import Connection, rows
from touchline.landing.ticks import COLUMNS, SERIES, TIME_ORDER

MATCH = "00000000-0000-0000-0000-000000000001"
SEEN = datetime(2022, 10, 3, 12, tzinfo=UTC)
_UTC = pl.Datetime("us", "UTC")
SCHEMA = {
    "fixture_key": pl.String, "source": pl.String, "bookmaker": pl.String, "market": pl.String,
    "is_closing": pl.Boolean, "line": pl.Float32, "known_at": _UTC, "observed_at": _UTC, "payload_id": pl.Int64,
    "quoted_at": _UTC, "row_number": pl.Int32, "price_home": pl.Float32, "price_draw": pl.Float32,
    "price_away": pl.Float32, "price_over": pl.Float32, "price_under": pl.Float32,
}  # fmt: skip


def tick(at: datetime = SEEN, home: float = 2.0, **changes: Any) -> dict[str, Any]:
    """A 1x2 quote of one bookmaker, seen, known and quoted at `at`."""
    row = {
        "fixture_key": MATCH, "source": "the_odds_api", "bookmaker": "betway", "market": "1x2", "is_closing": False,
        "line": 0.0, "known_at": at, "observed_at": at, "payload_id": 1, "quoted_at": at, "row_number": 1,
        "price_home": home, "price_draw": 3.4, "price_away": 4.0, "price_over": None, "price_under": None,
    }  # fmt: skip
    assert not changes.keys() - row.keys(), "unknown columns"
    return row | changes


def tick_frame(ticks: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Ticks as `write_quotes` takes them."""
    return pl.DataFrame(ticks, schema=SCHEMA).select(COLUMNS)


def quotes_as_of(connection: Connection, fixture_key: str, as_of: datetime) -> list[dict[str, Any]]:
    """The stored quotes of a match that stood at `as_of`: the last one of every series known by then."""
    series, newest = ", ".join(SERIES), ", ".join(f"{name} desc nulls last" for name in TIME_ORDER)
    return rows(
        connection,
        f"select distinct on ({series}) * from landing.odds_observation "
        f"where fixture_key = %s and known_at <= %s order by {series}, {newest}",
        (fixture_key, as_of),
    )
