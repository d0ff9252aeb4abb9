"""Too few or too many matches, results and bookmakers in a week, against the same part of earlier seasons."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from touchline.quality.anomalies.finding import MATCH, findings, nothing
from touchline.quality.anomalies.robust import MAD_TO_SIGMA
from touchline.quality.anomalies.weeks import week_of

# A competition in a break of its own, such as winter, has not played in the weeks just before either.
RECENT_WEEKS, FEWEST_RECENT = 4, 2
# A season with nearly as many matches as the one before is over, or about to be.
COMPLETE_SHARE = 0.93
ALIKE = 12
MOST_UNLIKE = 0.15
HISTORY_WEEKS, FEWEST_WEEKS_BEFORE = 156, 60
LOST_SHARE = 0.5
FEWEST_MATCHES = 4
FEWEST_WEEKS = 8
BOOKMAKERS_SIGMA = 0.2
BOOKMAKERS_LIMIT = 5.0
# From so many competitions in one week on, it is one cause and one finding.
COMMON_CAUSE = 4
RESULTS_SHARE = 0.3
REPEATED_WITHIN_DAYS = 21

WHAT_TO_DO = {
    "matches_missing": "Ask the source for the competition again (touchline collect); a stale or cut file is likely.",
    "results_missing": "The matches are past, their results are not here: see touchline sources, and collect again.",
    "bookmakers_missing": "A bookmaker's prices are gone: check the columns of the last body and their names.",
    "pairing_repeated": "The same pairing twice within weeks: `touchline quality quarantined --rule round_duplicated` "
    "says whether the second one is left out; if not, tell the source and wait for its correction.",
}


def find_volume_anomalies(weeks: pl.DataFrame, matches: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    """Judged weeks with matches, results or bookmakers missing, and pairings that were repeated.

    `weeks` as `weekly` gives them from `matches`, which reach back over some seasons.
    """
    if weeks.is_empty():
        return nothing()
    return pl.concat(
        [
            _matches_missing(weeks, is_judged),
            _results_missing(weeks.filter(is_judged)),
            _bookmakers_missing(weeks, is_judged),
            _repeated(matches, is_judged),
        ]
    )


def _week_findings(detector: str, frame: pl.DataFrame, **columns: pl.Expr | str) -> pl.DataFrame:
    day = pl.col("week").dt.strftime("%Y-%m-%d")
    return findings(
        frame,
        detector=detector,
        subject_kind="competition_week",
        subject=pl.format("{}/{}", "competition", day),
        place=pl.format("{} {}, week from {}", "competition", "season", day),
        what_to_do=WHAT_TO_DO[detector],
        severity="warn",
        **columns,
    )


def _matches_missing(weeks: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    """Weeks without most of a competition's matches, though it played in all earlier weeks like this one.

    Weeks are alike in which other competitions play: breaks for national teams and cups come to many at once. Another
    competition counts by the square of its correlation with this one, over the weeks of the earlier seasons.
    """
    judged = weeks.filter(is_judged)
    if judged.is_empty():
        return nothing()
    grid = _weeks_played(weeks)
    names = [name for name in grid.columns if name != "week"]
    plays, days = grid.select(names).to_numpy().astype(float), grid["week"]
    sizes = weeks.group_by("competition", "season").agg(
        pl.col("full").first(), first_week=pl.col("week").min(), size=pl.col("n_matches").sum()
    )
    by_season = sizes.sort("first_week").with_columns(size_before=pl.col("size").shift(1).over("competition"))
    latest = {row["competition"]: row for row in by_season.to_dicts()}
    rows = []
    wanted = grid.with_row_index().filter(is_judged)["index"].to_list()
    for index, (column, name) in itertools.product(wanted, enumerate(names)):
        past = slice(max(0, index - HISTORY_WEEKS), index)
        recent = plays[max(0, index - RECENT_WEEKS) : index, column]
        is_over = latest[name]["size"] >= COMPLETE_SHARE * (latest[name]["size_before"] or math.inf)
        if plays[index, column] or is_over or index < FEWEST_WEEKS_BEFORE or recent.sum() < FEWEST_RECENT:
            continue
        alike = _alike(plays[past], plays[index], column)
        if len(alike) == ALIKE and alike.all():
            rows.append({"competition": name, "season": latest[name]["season"], "full": latest[name]["full"],
                         "week": days[index]})  # fmt: skip
    if not rows:
        return nothing()
    suspects = pl.DataFrame(rows).join(
        weeks.select("competition", "week", "n_matches"), on=["competition", "week"], how="left"
    ).with_columns(pl.col("n_matches").fill_null(0))  # fmt: skip
    return _week_findings(
        "matches_missing", suspects,
        what=pl.format("{} matches in the week, {} are usual", "n_matches", "full"),
        observed=pl.col("n_matches"), expected=pl.col("full"),
        score=(1 - pl.col("n_matches") / pl.col("full")) * pl.col("full").sqrt() * 2,
        compared_with=f"the {ALIKE} weeks of earlier seasons in which the same other competitions played",
    )  # fmt: skip


def _weeks_played(weeks: pl.DataFrame) -> pl.DataFrame:
    """One row a week, one column a competition: whether it played at least half of its usual matches."""
    every = weeks.select(pl.datetime_range(pl.col("week").min(), pl.col("week").max(), "7d").alias("week"))
    played = weeks.with_columns(plays=pl.col("n_matches") >= LOST_SHARE * pl.col("full"))
    wide = played.pivot("competition", index="week", values="plays", aggregate_function="max")
    return every.join(wide, on="week", how="left").fill_null(value=False).sort("week")


def _alike(past: NDArray[np.float64], week: NDArray[np.float64], column: int) -> NDArray[np.bool_]:
    """Whether the competition of `column` played, in the past weeks most like `week` as to all others."""
    centred = past - past.mean(axis=0)
    spread = np.maximum(np.sqrt((centred**2).mean(axis=0)), 1e-9)
    likeness = np.clip((centred * centred[:, [column]]).mean(axis=0) / spread / spread[column], 0, 1) ** 2
    likeness[column] = 0
    distance = np.abs(past - week) @ likeness / max(likeness.sum(), 1e-9)
    nearest = np.argsort(distance, kind="stable")[:ALIKE]
    close = nearest[distance[nearest] <= MOST_UNLIKE]
    return np.asarray(past[close, column] > 0)


def _results_missing(judged: pl.DataFrame) -> pl.DataFrame:
    suspects = judged.filter(
        (pl.col("n_without_result") >= RESULTS_SHARE * pl.col("n_matches"))
        & (pl.col("n_matches") >= FEWEST_MATCHES)
    )
    return _week_findings(
        "results_missing", suspects,
        what=pl.format("{} of {} matches have no result a day after the week", "n_without_result", "n_matches"),
        observed=pl.col("n_played"), expected=pl.col("n_matches"),
        score=pl.col("n_without_result") / pl.col("n_matches").sqrt() * 2,
        compared_with="the fixtures of the same week",
    )  # fmt: skip


def _bookmakers_missing(weeks: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    """Against the last weeks alone: bookmakers come and go with the years."""
    usual = pl.col("n_bookmakers").rolling_median(FEWEST_WEEKS).shift(1).over("competition")
    apart = ((pl.col("n_bookmakers") - usual).abs()).rolling_median(FEWEST_WEEKS).shift(1).over("competition")
    enough = weeks.filter(pl.col("n_matches") >= FEWEST_MATCHES).sort("competition", "week")
    suspects = (
        enough.with_columns(
            expected=usual, sigma=pl.max_horizontal(apart * MAD_TO_SIGMA, pl.lit(BOOKMAKERS_SIGMA))
        )
        .filter(is_judged)
        .with_columns(score=((pl.col("n_bookmakers") - pl.col("expected")) / pl.col("sigma")).abs())
        .filter((pl.col("score") >= BOOKMAKERS_LIMIT) & (pl.col("n_bookmakers") < pl.col("expected")))
    )
    suspects = suspects.with_columns(n_alike=pl.len().over("week"))
    alone, alike = (suspects.filter((pl.col("n_alike") >= COMMON_CAUSE) == which) for which in (False, True))
    common = alike.group_by("week", "n_alike", maintain_order=True).agg(
        pl.col("season").first(),
        pl.col("n_bookmakers", "expected", "score").median(),
        competitions=pl.col("competition").sort().str.join(", "),
    )
    day = pl.col("week").dt.strftime("%Y-%m-%d")
    given = {
        "what": pl.format("{} bookmakers a match", pl.col("n_bookmakers").round(1)),
        "observed": pl.col("n_bookmakers"),
        "expected": pl.col("expected"),
        "score": pl.col("score"),
        "compared_with": pl.lit(f"median and MAD of the competition's {FEWEST_WEEKS} weeks before"),
    }
    together = findings(
        common,
        detector="bookmakers_missing",
        subject_kind="competition_week",
        subject=pl.format("several/{}", day),
        place=pl.format("{}, week from {}", "competitions", day),
        what_to_do=WHAT_TO_DO["bookmakers_missing"],
        severity="warn",
        season=pl.lit(None),
        **given,
    )
    return pl.concat([_week_findings("bookmakers_missing", alone, **given), together])  # fmt: skip


def _repeated(matches: pl.DataFrame, is_judged: pl.Expr) -> pl.DataFrame:
    pairing = ["competition", "season", "home_team", "away_team"]
    gap = (pl.col("kickoff_at") - pl.col("kickoff_at").shift(1).over(pairing)).dt.total_hours() / 24
    suspects = (
        matches.filter(pl.col("status") != "superseded")
        .sort("kickoff_at", "match_id")
        .with_columns(gap=gap)
        .with_columns(week=week_of(pl.col("kickoff_at")))
        .filter((pl.col("gap") <= REPEATED_WITHIN_DAYS) & is_judged)
    )
    return findings(
        suspects,
        detector="pairing_repeated",
        subject_kind="match",
        subject=pl.col("match_id"),
        what=pl.format("the same pairing {} days after the last one", pl.col("gap").round(1)),
        place=MATCH,
        observed=pl.col("gap"),
        expected=pl.lit(182.0),
        score=pl.lit(182.0) / pl.max_horizontal(pl.col("gap"), pl.lit(1.0)),
        compared_with="a double round robin, whose second half mirrors the first",
        what_to_do=WHAT_TO_DO["pairing_repeated"],
        severity="warn",
    )
