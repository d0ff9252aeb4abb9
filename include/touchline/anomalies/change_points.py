"""Level shifts in a competition's weekly series: Page's two-sided CUSUM (Page 1954, Biometrika 41) on robust z."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from touchline.anomalies.finding import findings, nothing
from touchline.anomalies.weeks import FEWEST_MATCHES
from touchline.robust import MAD_TO_SIGMA

# Series and the least standard deviation of its weekly value. The level of goals is judged by the gate on core.
SERIES = {"overround": 0.005, "n_bookmakers": 0.25}
# What is smaller than this is of no consequence to anybody who uses the series.
SMALLEST_SHIFT = {"overround": 0.02, "n_bookmakers": 1.5}
REFERENCE_WEEKS = 40
FEWEST_REFERENCE = 16
# The newest weeks are kept out of the reference, or a shift would soon be its own standard.
GAP_WEEKS = 6
# Half of the smallest shift worth finding, and the height of the alarm, both in standard deviations of a week.
SLACK = 0.75
ALARM = 7.0
# From so many competitions in one week on, it is one cause and one finding.
COMMON_CAUSE = 3
# One week alone, however odd, is no shift of level.
MOST_A_WEEK = 3.0
WHAT_TO_DO = (
    "Something changed for good: a rule, a bookmaker, a column. If a column changed, fix the source's module and "
    "`touchline collect`; if it is true, `touchline train` sooner and expect other limits to follow."
)


def alarms(values: NDArray[np.float64], floor: float) -> Iterator[tuple[int, int, float, float]]:
    """Alarms of a series in time order: index, index at which the sum began to rise, expected value, sum.

    Each value is compared with at most 40 values before it, of which the last 6 are left out; after an alarm the sums
    begin anew once the reference has taken in the new level.
    """
    series = pl.Series(values, dtype=pl.Float64)
    centres = series.rolling_median(REFERENCE_WEEKS, min_samples=FEWEST_REFERENCE).shift(GAP_WEEKS)
    apart = (series - centres).abs()
    scales = (apart.rolling_median(REFERENCE_WEEKS, min_samples=4) * MAD_TO_SIGMA).shift(GAP_WEEKS)
    high = low = 0.0
    high_start = low_start = quiet_until = 0
    for index, (value, centre, scale) in enumerate(
        zip(values.tolist(), centres.to_list(), scales.to_list(), strict=True)
    ):
        if centre is None or scale is None or index < quiet_until:
            continue
        z = max(-MOST_A_WEEK, min(MOST_A_WEEK, (value - centre) / max(scale, floor)))
        if high == 0:
            high_start = index
        if low == 0:
            low_start = index
        high, low = max(0.0, high + z - SLACK), max(0.0, low - z - SLACK)
        if max(high, low) > ALARM:
            yield index, high_start if high > low else low_start, centre, max(high, low)
            high = low = 0.0
            quiet_until = index + REFERENCE_WEEKS // 2 + GAP_WEEKS


def find_change_points(weeks: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    """Alarms that were raised in judged weeks; `weeks` as `weekly` gives them, reaching back over some seasons."""
    enough = weeks.filter(pl.col("n_played") >= FEWEST_MATCHES).sort("competition", "week")
    if enough.filter(is_judged).is_empty():
        return nothing()
    found = []
    for (competition,), frame in enough.with_columns(judged=is_judged).group_by(
        "competition", maintain_order=True
    ):
        for name, floor in SERIES.items():
            series = frame.drop_nulls(name).filter(pl.col(name).is_finite())
            values = series[name].to_numpy().astype(np.float64)
            for index, start, centre, total in alarms(values, floor):
                row = series.row(index, named=True)
                observed = float(np.mean(values[start : index + 1]))
                if row["judged"] and abs(observed - centre) >= SMALLEST_SHIFT[name]:
                    found.append(
                        {
                            "competition": competition, "season": row["season"], "series": name, "week": row["week"],
                            "began": series["week"][start], "observed": observed,
                            "expected": centre, "score": total,
                        }
                    )  # fmt: skip
    if not found:
        return nothing()
    shifts = pl.DataFrame(found).with_columns(n_alike=pl.len().over("series", "week"))
    alone = shifts.filter(pl.col("n_alike") < COMMON_CAUSE)
    alike = (
        shifts.filter(pl.col("n_alike") >= COMMON_CAUSE)
        .group_by("series", "week", maintain_order=True)
        .agg(
            pl.col("began").min(),
            pl.col("season").first(),
            pl.col("observed", "expected", "score").median(),
            competition=pl.lit(None, dtype=pl.String),
            place=pl.col("competition").sort().str.join(", "),
        )
    )
    day = pl.col("week").dt.strftime("%Y-%m-%d")
    began = pl.col("began").dt.strftime("%Y-%m-%d")
    return findings(
        pl.concat(
            [alone.with_columns(place=pl.format("{} {}", "competition", "season")), alike], how="diagonal"
        ),
        detector="level_shift",
        subject_kind="competition_series",
        subject=pl.format("{}/{}/{}", pl.col("competition").fill_null("several"), "series", day),
        what=pl.format(
            "{} at another level since the week from {}", pl.col("series").str.replace_all("_", " "), began
        ),
        place=pl.col("place"),
        observed=pl.col("observed"),
        expected=pl.col("expected"),
        score=pl.col("score"),
        compared_with=f"CUSUM against the {REFERENCE_WEEKS} weeks before",
        what_to_do=WHAT_TO_DO,
        severity="warn",
    )
