"""Rows odd as a whole though no single column is: an isolation forest (Liu, Ting & Zhou 2008) on robust z-values."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from touchline.quality.anomalies.finding import MATCH, findings, nothing
from touchline.quality.anomalies.results import STATISTICS, rooted
from touchline.quality.anomalies.robust import sigma

TREES = 100
ROWS_A_TREE = 256
FEWEST_REFERENCE = 300
# Scores of isolation forests are bounded; on this scale (median and MAD of the reference) real rows reach about 5 with
# the fourteen counts of a match, and 7 with its markets.
LIMITS = {"statistics_odd_together": 5.5, "prices_odd_together": 7.5}
SIGMA_FLOOR = 0.05
WHAT_TO_DO = {
    "statistics_odd_together": "Compare the whole row with its payload: shifted or exchanged columns are likely.",
    "prices_odd_together": "The markets of the match do not agree: check handicap line, exchanged over and under, and "
    "the 1X2 prices in the payload.",
}


def find_odd_statistics(results: pl.DataFrame, reference: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Result rows that are odd over all their counts, relative to their competition; rows need all of them."""
    columns = {name: rooted(name) for name in STATISTICS}
    return _odd("statistics_odd_together", results, reference, columns, seed, "counts of the results")


def find_odd_prices(residuals: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Matches whose consensus markets are odd together; `residuals` as `relations.with_residuals` gives them."""
    columns = {
        "draw": pl.col("draw"), "goals against draw": pl.col("z goals"), "line": pl.col("z handicap line"),
        "draw against goals": pl.col("z draw"), "handicap prices": pl.col("handicap_side"),
        "goals": pl.col("goals"), "disagreement": pl.col("market_spread").cast(pl.Float64),
    }  # fmt: skip
    known, new = (residuals.filter(pl.col("is_new") == which).drop("is_new") for which in (False, True))
    return _odd("prices_odd_together", new, known, columns, seed, "markets of matches")


def _odd(
    detector: str, new: pl.DataFrame, reference: pl.DataFrame, columns: dict[str, pl.Expr], seed: int, of: str
) -> pl.DataFrame:
    """Findings of a forest over `columns`, each relative to its competition's median and MAD in the reference."""
    names = list(columns)
    both = pl.concat(
        [reference.with_columns(is_new=pl.lit(False)), new.with_columns(is_new=pl.lit(True))],
        how="diagonal_relaxed",
    )
    raw = both.with_columns(expression.alias(name) for name, expression in columns.items())
    usual = [pl.when(~pl.col("is_new")).then(pl.col(name)) for name in names]
    scaled = raw.with_columns(
        ((pl.col(name) - before.median().over("competition"))
         / sigma(before - before.median(), SIGMA_FLOOR).over("competition")).alias(name)
        for name, before in zip(names, usual, strict=True)
    ).filter(pl.all_horizontal(pl.col(name).is_finite().fill_null(False) for name in names))  # fmt: skip
    known, asked = scaled.filter(~pl.col("is_new")), scaled.filter(pl.col("is_new"))
    if known.height < FEWEST_REFERENCE or asked.is_empty():
        return nothing()
    z = asked.select(names).to_numpy()
    furthest = np.abs(z).argmax(axis=1)
    suspects = asked.with_columns(
        score=pl.Series(_scores(known.select(names).to_numpy(), z, seed)),
        furthest=pl.Series([names[index] for index in furthest]),
        furthest_z=pl.Series(z[np.arange(len(z)), furthest]),
    ).filter(pl.col("score") >= LIMITS[detector])
    return findings(
        suspects,
        detector=detector,
        subject_kind="match",
        subject=pl.format("{}/{}", "match_id", pl.lit(detector)),
        what=pl.format("odd as a whole, most of all {} ({} robust standard deviations)",
                       pl.col("furthest").str.replace_all("_", " "), pl.col("furthest_z").round(1)),
        place=MATCH,
        observed=pl.col("furthest_z"),
        expected=pl.lit(0.0),
        score=pl.col("score"),
        compared_with=f"an isolation forest of {known.height} {of} before",
        what_to_do=WHAT_TO_DO[detector],
        severity="warn",
    )  # fmt: skip


def _scores(known: NDArray[np.float64], asked: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Isolation of the rows, in robust standard deviations above the median of the known ones."""
    from sklearn.ensemble import IsolationForest

    clipped = [np.clip(rows, -30, 30) for rows in (known, asked)]
    forest = IsolationForest(
        n_estimators=TREES, max_samples=min(ROWS_A_TREE, len(known)), random_state=seed
    ).fit(clipped[0])
    usual, scores = (-forest.score_samples(rows) for rows in clipped)
    centre = np.median(usual)
    spread = 1.4826 * np.median(np.abs(usual - centre))
    return np.asarray((scores - centre) / max(float(spread), 1e-6), dtype=np.float64)
