"""Match statistics that are unlike their competition, or contradict one another."""

from __future__ import annotations

import polars as pl

from touchline.anomalies.finding import MATCH, findings, nothing
from touchline.robust import sigma

COUNTS = ("goals", "shots", "shots_on_target", "corners", "fouls", "yellow_cards", "red_cards")
# On the square-root scale of counts (Anscombe 1948) a Poisson count has standard deviation 1/2 whatever its mean.
SQRT_SIGMA = 0.5
FEWEST_REFERENCE = 50
# Higher where real play is wilder: a team scores ten once in ten thousand matches, but nobody has eighty shots.
LIMITS = {"goals": 4.0, "red_cards": 3.5}
LIMIT = 6.0
OWN_GOALS = 2
WHAT_TO_DO = (
    "Compare the row with its body (landing.payload) and another source; a typing error is the source's to correct: "
    "tell it, `touchline collect` brings the correction."
)
CONTRADICTION_TO_DO = (
    "Two numbers of the row exclude each other: ask the source which holds; `touchline collect` brings its "
    "correction."
)
STATISTICS = tuple(f"{side}_{name}" for name in COUNTS for side in ("home", "away"))


def rooted(name: str) -> pl.Expr:
    """A count on the scale on which its spread does not depend on its size."""
    return (pl.col(name).cast(pl.Float64) + 0.375).sqrt()


def find_result_anomalies(results: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """Counts far above or below those of the competition, then rows that contradict themselves.

    Both frames: core.match_result with competition, season, kickoff_at, home_team and away_team of the match;
    `reference` was known before.
    """
    if results.is_empty():
        return nothing()
    return pl.concat([*(_unusual(results, reference, name) for name in STATISTICS), _contradictions(results)])


def _unusual(results: pl.DataFrame, reference: pl.DataFrame, name: str) -> pl.DataFrame:
    usual = (
        reference.drop_nulls(name)
        .group_by("competition")
        .agg(
            n=pl.len(),
            centre=rooted(name).median(),
            median=pl.col(name).median().cast(pl.Float64),
            sigma=sigma(rooted(name) - rooted(name).median(), SQRT_SIGMA),
        )
        .filter(pl.col("n") >= FEWEST_REFERENCE)
    )
    limit = LIMITS.get(name.partition("_")[2], LIMIT)
    suspects = (
        results.join(usual, on="competition")
        .with_columns(score=((rooted(name) - pl.col("centre")) / pl.col("sigma")).abs())
        .filter(pl.col("score") >= limit)
    )
    return findings(
        suspects,
        detector="statistic_unusual",
        subject_kind="match",
        subject=pl.format("{}/{}", "match_id", pl.lit(name)),
        what=pl.format("{} {}", pl.col(name), pl.lit(name.replace("_", " "))),
        place=MATCH,
        observed=pl.col(name),
        expected=pl.col("median"),
        score=pl.col("score"),
        compared_with=pl.format("median and MAD of {} matches of {} before", "n", "competition"),
        what_to_do=WHAT_TO_DO,
        severity="warn",
    )


def _contradictions(results: pl.DataFrame) -> pl.DataFrame:
    """Three goals more than shots on target: an own goal needs no shot, and three do not happen to one side."""
    # Some rows hold zeros where nothing was counted.
    counted = results.filter((pl.col("home_shots") > 0) & (pl.col("away_shots") > 0))
    parts = []
    for side in ("home", "away"):
        goals, on_target = (pl.col(f"{side}_{name}").cast(pl.Int32) for name in ("goals", "shots_on_target"))
        parts.append(
            findings(
                counted.filter(goals > on_target + OWN_GOALS),
                detector="statistics_contradict",
                subject_kind="match",
                subject=pl.format("{}/{}", "match_id", pl.lit(f"{side}_goals")),
                what=pl.format(f"{{}} {side} goals but {{}} shots on target", goals, on_target),
                place=MATCH,
                observed=goals,
                expected=on_target,
                score=((goals - on_target) + 0.375).sqrt() / SQRT_SIGMA,
                compared_with="the other number of the same row",
                what_to_do=CONTRADICTION_TO_DO,
                severity="warn",
            )
        )
    return pl.concat(parts)
