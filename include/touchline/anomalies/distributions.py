"""Features whose distribution over four weeks is not that of the year before: population stability and robust z."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from touchline.anomalies.finding import findings, nothing
from touchline.anomalies.weeks import JUDGED_AFTER, week_of
from touchline.robust import centre_and_sigma, sigma, stability_index

BLOCK = timedelta(days=28)
# Blocks lie on a fixed grid, so that every night judges the same ones; a Tuesday.
GRID = datetime(2000, 1, 4, tzinfo=UTC)
REFERENCE = timedelta(days=364)
FEWEST_ROWS = 120
# By custom 0.25 is a shift; form of few teams strays as far by itself.
STABLE_BELOW = 0.5
SIGMA_FLOOR = 1e-3
WHAT_TO_DO = (
    "Look at the feature's inputs in the four weeks (touchline lineage); if they are wrong, rebuild; if the world "
    "changed, retrain."
)


def find_shifted_features(
    features: pl.DataFrame, names: Sequence[str], since: datetime, as_of: datetime
) -> pl.DataFrame:
    """Features that shifted in a block of four weeks that became complete after `since` and by `as_of`.

    `features`: competition, kickoff_at and the named columns, reaching back a year. Values are taken relative to
    their competition's median and MAD of that year, so that it does not matter which competitions play.
    """
    parts = [nothing()]
    start = GRID + BLOCK * ((since - JUDGED_AFTER - GRID) // BLOCK - 1)
    while start + BLOCK + JUDGED_AFTER - timedelta(days=7) <= as_of:
        if start + BLOCK + JUDGED_AFTER - timedelta(days=7) > since:
            parts.append(_judge_block(features, names, start))
        start += BLOCK
    return pl.concat(parts)


def _judge_block(features: pl.DataFrame, names: Sequence[str], start: datetime) -> pl.DataFrame:
    week = week_of(pl.col("kickoff_at"))
    is_block = (week >= start) & (week < start + BLOCK)
    near = features.filter((week >= start - REFERENCE) & (week < start + BLOCK)).with_columns(
        is_block=is_block
    )
    if near["is_block"].sum() < FEWEST_ROWS or near.height < 4 * FEWEST_ROWS:
        return nothing()
    relative = [_relative(name).alias(name) for name in names]
    there = [
        pl.when(~pl.col("is_block"))
        .then(pl.col(name).is_not_null())
        .mean()
        .over("competition")
        .alias(f"{name}_there")
        for name in names
    ]
    frame = near.with_columns(there).with_columns(relative)
    frame = frame.with_columns(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names)
    year_ago = start - REFERENCE
    season_before = frame.filter((week >= year_ago) & (week < year_ago + BLOCK))
    rows = []
    for name in names:
        usually_there = frame.filter(pl.col(f"{name}_there") >= 0.5)
        before, now = (
            usually_there.filter(pl.col("is_block") == which)[name].to_numpy() for which in (False, True)
        )
        if len(now) < FEWEST_ROWS:
            continue
        index = stability_index(before, now)
        same_weeks = season_before.filter(pl.col(f"{name}_there") >= 0.5)[name].to_numpy()
        if index >= STABLE_BELOW and len(same_weeks) >= FEWEST_ROWS:
            # What comes every year at this time is no news.
            index = min(index, stability_index(same_weeks, now))
        if index >= STABLE_BELOW:
            expected, scale = (
                centre_and_sigma(before, SIGMA_FLOOR) if np.isfinite(before).any() else (np.nan, 1.0)
            )
            observed = float(np.nanmedian(now)) if np.isfinite(now).any() else np.nan
            missing = float(np.mean(~np.isfinite(now)))
            rows.append(
                {"name": name, "observed": observed, "expected": expected, "score": index, "missing": missing,
                 "z": (observed - expected) / scale, "n": len(now)}
            )  # fmt: skip
    if not rows:
        return nothing()
    day = start.date().isoformat()
    return findings(
        pl.DataFrame(rows).with_columns(pl.col("observed", "expected", "z").fill_nan(None)),
        detector="feature_shifted",
        subject_kind="feature",
        subject=pl.format("{}/{}", "name", pl.lit(day)),
        what=pl.format(
            "{}: median off by {} robust standard deviations, {} % missing, population stability index {}",
            "name", pl.col("z").round(2).cast(pl.String).fill_null("?"), (100 * pl.col("missing")).round(0),
            pl.col("score").round(2),
        ),
        place=pl.format("features.match_features, {} matches of the four weeks from {}", "n", pl.lit(day)),
        observed=pl.col("observed"),
        expected=pl.col("expected"),
        score=pl.col("score"),
        compared_with="the same competitions in the year before, and in the same four weeks of it",
        what_to_do=WHAT_TO_DO,
        severity="warn",
    )  # fmt: skip


def _relative(name: str) -> pl.Expr:
    """A feature relative to the year before in its competition."""
    value = pl.col(name).cast(pl.Float64)
    before = pl.when(~pl.col("is_block")).then(value)
    centre = before.median().over("competition")
    return (value - centre) / sigma(before - before.median(), SIGMA_FLOOR).over("competition")
