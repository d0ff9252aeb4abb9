"""Weeks of a competition whose mean shots, fouls, cards or home wins are unlike those of the same season stage."""

from __future__ import annotations

import polars as pl

from touchline.anomalies.finding import findings, nothing
from touchline.anomalies.weeks import FEWEST_MATCHES
from touchline.robust import sigma

# Least standard deviation of one match: what chance alone gives, for weeks that happened to be alike. The goals of a
# body are judged by the rule `goals_doubled`.
SIGMA_OF_A_MATCH = {"shots": 5.0, "corners": 3.2, "fouls": 5.5, "yellow_cards": 1.9, "home_wins": 0.49}
FEWEST_WEEKS = 8
LIMIT = 4.0
WHAT_TO_DO = (
    "Look at the matches of the week in their body (landing.payload): doubled numbers, exchanged columns or exchanged "
    "teams; fix the source's module or tell the source, then `touchline collect`."
)


def find_level_anomalies(weeks: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    """Judged weeks against the earlier weeks of the competition in the same stage; `weeks` as `weekly` gives them."""
    enough = weeks.filter(pl.col("n_played") >= FEWEST_MATCHES)
    judged = enough.filter(is_judged)
    parts = [nothing()]
    for name, sigma_of_a_match in SIGMA_OF_A_MATCH.items():
        pairs = judged.drop_nulls(name).join(
            enough.drop_nulls(name).select(
                "competition", "stage", earlier="week", usual=name, n_usual="n_played"
            ),
            on=["competition", "stage"],
        )
        centred = (pl.col("usual") - pl.col("usual").median()) * pl.col("n_usual").sqrt()
        scored = (
            pairs.filter(pl.col("earlier") < pl.col("week"))
            .group_by(
                "competition", "season", "week", "place", "stage", "n_played", name, maintain_order=True
            )
            .agg(
                n_weeks=pl.len(),
                expected=pl.col("usual").median(),
                sigma=sigma(centred, sigma_of_a_match),
            )
            .filter(pl.col("n_weeks") >= FEWEST_WEEKS)
            .with_columns(
                score=(
                    (pl.col(name) - pl.col("expected")) * pl.col("n_played").sqrt() / pl.col("sigma")
                ).abs()
            )
            .filter(pl.col("score") >= LIMIT)
        )
        parts.append(
            findings(
                scored,
                detector="week_unusual",
                subject_kind="competition_week",
                subject=pl.format("{}/{}/{}", "competition", pl.col("week").dt.strftime("%Y-%m-%d"), pl.lit(name)),
                what=pl.format("{} {} a match over {} matches", pl.col(name).round(2), pl.lit(name.replace("_", " ")),
                               "n_played"),
                place=pl.col("place"),
                observed=pl.col(name),
                expected=pl.col("expected"),
                score=pl.col("score"),
                compared_with=pl.format("median and MAD of {} earlier weeks, {} of the season", "n_weeks", "stage"),
                what_to_do=WHAT_TO_DO,
                severity="warn",
            )
        )  # fmt: skip
    return pl.concat(parts)
