"""What a finding says, whatever found it."""

from __future__ import annotations

from typing import Any

import polars as pl

SCHEMA: dict[str, Any] = {
    "detector": pl.String, "subject_kind": pl.String, "subject": pl.String, "competition": pl.String,
    "season": pl.String, "match_id": pl.String, "what": pl.String, "place": pl.String,
    "observed": pl.Float64, "expected": pl.Float64, "score": pl.Float64, "compared_with": pl.String,
    "what_to_do": pl.String, "severity": pl.String,
}  # fmt: skip
MATCH = pl.format(
    "{} {}, {} - {} on {}",
    "competition",
    "season",
    "home_team",
    "away_team",
    pl.col("kickoff_at").dt.strftime("%Y-%m-%d"),
)


def nothing() -> pl.DataFrame:
    """No findings."""
    return pl.DataFrame(schema=SCHEMA)


def findings(frame: pl.DataFrame, **columns: str | pl.Expr) -> pl.DataFrame:
    """Findings from a frame of suspects, one a row.

    `columns` are those of `SCHEMA`: text is taken as it is; competition, season and match_id may stand in the frame,
    and are null where they do not.
    """
    given = {name: pl.lit(value) if isinstance(value, str) else value for name, value in columns.items()}
    for name in SCHEMA:
        if name not in given:
            given[name] = pl.col(name) if name in frame.columns else pl.lit(None)
    return frame.select(given[name].cast(kind).alias(name) for name, kind in SCHEMA.items())
