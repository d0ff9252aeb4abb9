"""Too few or too many matches, results and bookmakers in a week, against the same part of earlier seasons."""

from __future__ import annotations

import polars as pl

from touchline.quality.anomalies.finding import MATCH, findings, nothing
from touchline.quality.anomalies.robust import MAD_TO_SIGMA
from touchline.quality.anomalies.weeks import week_of

# Weeks of other seasons that stand for a week: one to each side, as calendars shift with the day of the start.
NEIGHBOURS = 1
FEWEST_SEASONS = 3
FULL_SHARE = 0.7
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
    "bookmakers_missing": "A bookmaker's prices are gone: check the columns of the last body, and that no name changed.",
    "pairing_repeated": "The same pairing twice within weeks: a duplicated round; quarantine the second one.",
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
    """Weeks without most of their matches, at a time when every earlier season had full weeks."""
    every_week = pl.datetime_range(weeks["week"].min(), weeks["week"].max(), "7d", eager=True).alias("week")
    seasons = weeks.group_by("competition", "season").agg(
        first_week=pl.col("week").min(),
        full=pl.col("n_matches").filter(pl.col("n_matches") >= FEWEST_MATCHES).median(),
    )
    grid = (
        seasons.join(every_week.to_frame(), how="cross")
        .with_columns(week_of_season=(pl.col("week") - pl.col("first_week")).dt.total_days() // 7)
        .filter(pl.col("week_of_season").is_between(0, 50))
        .join(weeks.select("competition", "season", "week", "n_matches"), on=["competition", "season", "week"],
              how="left")
        .with_columns(pl.col("n_matches").fill_null(0))
        .sort("competition", "season", "week")
    )  # fmt: skip
    # A season of a competition whose matches end is followed by its own silence; the newest season alone is judged.
    share = pl.col("n_matches") / pl.col("full")
    around = pl.min_horizontal(
        share.shift(step).over("competition", "season") for step in range(-NEIGHBOURS, NEIGHBOURS + 1)
    )
    earlier = grid.with_columns(around=around).select(
        "competition", "week_of_season", earlier_first="first_week", around="around", earlier_full="full"
    )
    suspects = (
        grid.filter(is_judged)
        .join(earlier, on=["competition", "week_of_season"])
        .filter(pl.col("earlier_first") + pl.duration(days=200) < pl.col("first_week"))
        .group_by("competition", "season", "week", "n_matches", "full", maintain_order=True)
        .agg(n_seasons=pl.len(), around=pl.col("around").min(), n_known=pl.col("around").count())
        .filter(
            (pl.col("n_seasons") >= FEWEST_SEASONS)
            & (pl.col("n_known") == pl.col("n_seasons"))
            & (pl.col("around") >= FULL_SHARE)
            & (pl.col("n_matches") < LOST_SHARE * pl.col("full"))
        )
    )
    missing = 1 - pl.col("n_matches") / pl.col("full")
    return _week_findings(
        "matches_missing", suspects,
        what=pl.format("{} matches in the week, {} are usual", "n_matches", "full"),
        observed=pl.col("n_matches"), expected=pl.col("full"), score=missing * pl.col("full").sqrt() * 2,
        compared_with=pl.format("the same week, and one to each side, of {} earlier seasons", "n_seasons"),
    )  # fmt: skip


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
    apart = (
        ((pl.col("n_bookmakers") - usual).abs())
        .rolling_median(FEWEST_WEEKS)
        .shift(1)
        .over("competition")
    )
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
        pl.col("season").first(), pl.col("n_bookmakers", "expected", "score").median(),
        competitions=pl.col("competition").sort().str.join(", "),
    )
    day = pl.col("week").dt.strftime("%Y-%m-%d")
    given = {
        "what": pl.format("{} bookmakers a match", pl.col("n_bookmakers").round(1)),
        "observed": pl.col("n_bookmakers"), "expected": pl.col("expected"), "score": pl.col("score"),
        "compared_with": pl.lit(f"median and MAD of the competition's {FEWEST_WEEKS} weeks before"),
    }
    together = findings(
        common, detector="bookmakers_missing", subject_kind="competition_week",
        subject=pl.format("several/{}", day), place=pl.format("{}, week from {}", "competitions", day),
        what_to_do=WHAT_TO_DO["bookmakers_missing"], severity="warn", season=pl.lit(None), **given,
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
        severity="quarantine",
    )
