"""Weeks with fewer bookmakers a match than the weeks before."""

from __future__ import annotations

import polars as pl

from touchline.anomalies.finding import findings
from touchline.anomalies.weeks import FEWEST_MATCHES
from touchline.robust import MAD_TO_SIGMA

WEEKS_BEFORE = 8
SIGMA_FLOOR = 0.2
LIMIT = 5.0
# From so many competitions in one week on, it is one cause and one finding.
COMMON_CAUSE = 4
WHAT_TO_DO = "A bookmaker's prices are gone: check the columns of the last body and their names."


def find_missing_bookmakers(weeks: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    """Judged weeks against the last weeks alone, because bookmakers come and go with the years.

    `weeks` as `weekly` gives them.
    """
    number = pl.col("n_bookmakers")
    usual = number.rolling_median(WEEKS_BEFORE).shift(1).over("competition")
    apart = (number - usual).abs().rolling_median(WEEKS_BEFORE).shift(1).over("competition")
    enough = weeks.filter(pl.col("n_matches") >= FEWEST_MATCHES).sort("competition", "week")
    suspects = (
        enough.with_columns(expected=usual, sigma=pl.max_horizontal(apart * MAD_TO_SIGMA, pl.lit(SIGMA_FLOOR)))
        .filter(is_judged)
        .with_columns(score=(pl.col("expected") - number) / pl.col("sigma"))
        .filter(pl.col("score") >= LIMIT)
        .with_columns(n_alike=pl.len().over("week"))
    )  # fmt: skip
    alone, alike = (suspects.filter((pl.col("n_alike") >= COMMON_CAUSE) == which) for which in (False, True))
    day = pl.col("week").dt.strftime("%Y-%m-%d")
    common = alike.group_by("week", maintain_order=True).agg(
        pl.col("n_bookmakers", "expected", "score").median(),
        competition=pl.lit(None, dtype=pl.String),
        season=pl.lit(None, dtype=pl.String),
        place=pl.format("{}, week from {}", pl.col("competition").sort().str.join(", "), day.first()),
    )
    return findings(
        pl.concat([alone, common], how="diagonal"),
        detector="bookmakers_missing",
        subject_kind="competition_week",
        subject=pl.format("{}/{}", pl.col("competition").fill_null("several"), day),
        what=pl.format("{} bookmakers a match", number.round(1)),
        place=pl.col("place"),
        observed=number,
        expected=pl.col("expected"),
        score=pl.col("score"),
        compared_with=f"median and MAD of the competition's {WEEKS_BEFORE} weeks before",
        what_to_do=WHAT_TO_DO,
        severity="warn",
    )
