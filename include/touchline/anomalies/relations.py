"""What one market of a match says, given the others: residuals that should be near zero."""

from __future__ import annotations

import numpy as np
import polars as pl

from touchline.anomalies.finding import MATCH, findings, nothing
from touchline.robust import sigma

FEWEST_REFERENCE = 300
FLOORS = {"draw": 0.02, "goals": 0.06, "handicap line": 0.12}
# Sides to whom a draw is enough are priced so, above all in the last rounds: what is rare is not yet wrong.
LIMITS = {"draw": 14.0, "goals": 4.8, "handicap line": 6.0}
WHAT_TO_DO = (
    "The markets of the match contradict one another: look in the payload for a lost sign of the handicap, exchanged "
    "over and under, or prices of another match; fix the source's module or tell the source, then `touchline collect`."
)


def with_markets(matches: pl.DataFrame) -> pl.DataFrame:
    """Matches with side, draw and goals in log-odds, from the columns market_* of match_features."""
    home, draw, away, over, under = (
        pl.col(f"market_price_{name}").cast(pl.Float64) for name in ("home", "draw", "away", "over", "under")
    )
    return matches.with_columns(
        side=(away / home).log(),
        draw=((home * away).sqrt() / draw).log(),
        goals=(under / over).log(),
        handicap_side=(pl.col("market_handicap_away") / pl.col("market_handicap_home"))
        .cast(pl.Float64)
        .log(),
        line=pl.col("market_handicap_line").cast(pl.Float64),
    )


def with_residuals(new: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Both frames in one (`is_new`), with `z <relation>` relative to the competition's spread in the reference.

    Relations are least squares over the reference: the draw and the line from how one-sided the match is and how many
    goals are expected, the goals from how one-sided it is and the draw.
    """
    both = with_markets(
        pl.concat(
            [reference.with_columns(is_new=pl.lit(value=False)), new.with_columns(is_new=pl.lit(value=True))],
            how="diagonal_relaxed",
        )
    )
    size, square = pl.col("side").abs(), pl.col("side") ** 2
    signed = pl.col("side") * pl.col("side").abs()
    relations = {
        "draw": (pl.col("draw"), [size, square, pl.col("goals")]),
        "goals": (pl.col("goals"), [size, square, pl.col("draw")]),
        "handicap line": (pl.col("line"), [pl.col("side"), signed, pl.col("goals"), pl.col("handicap_side")]),
    }
    for name, (target, given) in relations.items():
        # Lines and draws of one-sided matches are coarse.
        stretch = 1.0 if name == "goals" else 1 + size / 2
        both = both.with_columns(_residual(both, target, given).alias(f"off {name}"), stretch=stretch)
        off = pl.col(f"off {name}") / pl.col("stretch")
        before = pl.when(~pl.col("is_new")).then(off)
        centred = before - before.median().over("competition")
        both = both.with_columns(
            ((off - before.median().over("competition")) / sigma(centred, FLOORS[name]).over("competition"))
            .alias(f"z {name}")
        )  # fmt: skip
    return both


def _residual(both: pl.DataFrame, target: pl.Expr, given: list[pl.Expr]) -> pl.Series:
    design = both.select(
        pl.lit(1.0).alias("one"), *(expression.alias(f"x{number}") for number, expression in enumerate(given))
    ).with_columns(pl.all().fill_null(np.nan))
    x = design.to_numpy()
    y = both.select(target.fill_null(np.nan).alias("y"))["y"].to_numpy()
    usable = np.isfinite(x).all(axis=1) & np.isfinite(y)
    known = usable & ~both["is_new"].to_numpy()
    residual = np.full(len(y), np.nan)
    if known.sum() >= FEWEST_REFERENCE:
        weights = np.linalg.lstsq(x[known], y[known], rcond=None)[0]
        residual[usable] = y[usable] - x[usable] @ weights
    return pl.Series(residual).fill_nan(None)


def find_disagreeing_markets(new: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """New matches in which one market is far from what the others say; both frames as in `with_residuals`."""
    names = list(FLOORS)
    suspects = with_residuals(new, reference).filter(pl.col("is_new")).with_columns(
        excess=pl.max_horizontal(pl.col(f"z {name}").abs() / LIMITS[name] for name in names)
    ).filter(pl.col("excess") >= 1)  # fmt: skip
    if suspects.is_empty():
        return nothing()
    which = pl.coalesce(
        pl.when(pl.col(f"z {name}").abs() / LIMITS[name] == pl.col("excess")).then(pl.lit(name))
        for name in names
    )
    observed = {"draw": "draw", "goals": "goals", "handicap line": "line"}
    value = pl.coalesce(pl.when(which == name).then(pl.col(column)) for name, column in observed.items())
    off = pl.coalesce(pl.when(which == name).then(pl.col(f"off {name}")) for name in names)
    return findings(
        suspects,
        detector="markets_disagree",
        subject_kind="match",
        subject=pl.format("{}/markets", "match_id"),
        what=pl.format("the {} does not fit the other markets", which),
        place=MATCH,
        observed=value,
        expected=value - off,
        score=pl.coalesce(pl.when(which == name).then(pl.col(f"z {name}").abs()) for name in names),
        compared_with=pl.format("the other markets of the match, as they fit together in {}", "competition"),
        what_to_do=WHAT_TO_DO,
        severity="warn",
    )
