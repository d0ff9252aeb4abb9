"""Quotes that a newer body of their source withdraws: a further version of each, without prices."""

from __future__ import annotations

from typing import Final

import polars as pl

from touchline.landing.payloads import Payload
from touchline.landing.revisions import WITHDRAWN
from touchline.landing.ticks import PRICES
from touchline.sources.source import Observations

OFFER: Final = ("fixture_key", "bookmaker", "market", "is_closing")
_OFFER_SCHEMA: Final = {"bookmaker": pl.String, "market": pl.String, "is_closing": pl.Boolean}
_NO_PRICES: Final = [pl.lit(None, dtype=pl.Float32).alias(name) for name in PRICES]


def with_withdrawn(payload: Payload, found: Observations, last: pl.DataFrame) -> pl.DataFrame:
    """The quotes of a body, and those that it withdraws, with prices of None. Columns are those of `found.quotes`.

    `last` are the last stored quotes of its matches and source (`ticks.last_quotes`).

    A line is withdrawn when the body has the bookmaker's offer with other lines only, and a whole offer when the body
    lists the match without it and tells such offers in full. A list that still has a match as ahead after its kick-off
    is behind, and withdraws nothing of it; neither does a file that lists the match no more.
    """
    quotes = found.quotes
    is_behind = (pl.col("status") == "scheduled") & (pl.col("kickoff_at") <= payload.observed_at)
    silent = found.fixtures.filter(is_behind | (pl.col("status") == WITHDRAWN))
    gone = (
        _standing(payload, last)
        .join(quotes, on=[*OFFER, "line"], how="anti")
        .join(silent, on="fixture_key", how="anti")
    )
    if gone.is_empty():
        return quotes
    offers = quotes.group_by(OFFER).agg(pl.col("row_number").first())
    in_full = pl.DataFrame(sorted(found.told_in_full), schema=_OFFER_SCHEMA, orient="row")
    replaced = gone.join(offers, on=OFFER)
    emptied = (
        gone.join(offers, on=OFFER, how="anti")
        .join(in_full, on=OFFER[1:], how="semi")
        .join(found.fixtures.select("fixture_key", "row_number"), on="fixture_key")
    )
    withdrawn = pl.concat(
        [each.select(*OFFER, "line", "quoted_at", "row_number") for each in (replaced, emptied)]
    )
    withdrawn = withdrawn.with_columns(*_NO_PRICES, published_at=payload.observed_at)
    return pl.concat([quotes, withdrawn.select(quotes.columns).cast(quotes.schema)])


def _standing(payload: Payload, last: pl.DataFrame) -> pl.DataFrame:
    """Those of the last quotes that stood before a body was seen: OFFER, line and quoted_at."""
    return last.filter(
        pl.any_horizontal(pl.col(PRICES).is_not_null()),
        pl.col("observed_at") <= payload.observed_at,
        pl.col("payload_id") < payload.payload_id,
    ).select(*OFFER, "line", "quoted_at")
