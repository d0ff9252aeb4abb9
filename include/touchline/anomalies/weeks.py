"""Matches by competition and football week (Tuesday to Monday: midweek and the weekend after it)."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

# The last result of a week is published in the night after Monday; a week is judged a day later.
JUDGED_AFTER = timedelta(days=8)
EARLY_WEEKS, MIDDLE_WEEKS = 13, 26
FEWEST_MATCHES = 4


def week_of(moment: pl.Expr) -> pl.Expr:
    """Midnight (UTC) of the Tuesday on or before a moment."""
    return moment.dt.truncate("1w") + pl.when(moment.dt.weekday() == 1).then(pl.duration(days=-6)).otherwise(
        pl.duration(days=1)
    )


def is_judged(since: datetime, as_of: datetime) -> pl.Expr:
    """True for the weeks that became complete after `since` and by `as_of`."""
    done = pl.col("week") + JUDGED_AFTER
    return (done > since) & (done <= as_of)


def weekly(matches: pl.DataFrame) -> pl.DataFrame:
    """One row per competition, season and week that has matches, with means of what `matches` holds.

    `matches`: core.match with core.match_result and market columns of features.match_features, one row a match.
    Adds `n_matches`, `n_played`, and the stage of the season, by weeks since its first match.
    """
    played = pl.col("home_goals").is_not_null()
    total = {
        name: pl.col(f"home_{name}") + pl.col(f"away_{name}")
        for name in ("shots", "corners", "fouls", "yellow_cards")
    }
    overround = sum((1 / pl.col(f"market_price_{name}") for name in ("home", "draw", "away")), pl.lit(0.0))
    weeks = (
        matches.with_columns(week=week_of(pl.col("kickoff_at")))
        .group_by("competition", "season", "week")
        .agg(
            n_matches=pl.len(),
            n_played=played.sum(),
            **{name: value.mean() for name, value in total.items()},
            home_wins=pl.when(played).then(pl.col("home_goals") > pl.col("away_goals")).mean(),
            overround=overround.mean(),
            n_bookmakers=pl.col("market_n_bookmakers").fill_null(0).mean(),
        )
        .sort("competition", "week")
    )
    number = (pl.col("week") - pl.col("week").min().over("competition", "season")).dt.total_days() // 7
    return weeks.with_columns(
        stage=pl.when(number < EARLY_WEEKS).then(pl.lit("first third"))
        .when(number < MIDDLE_WEEKS).then(pl.lit("middle third")).otherwise(pl.lit("last third")),
        place=pl.format("{} {}, week from {}", "competition", "season", pl.col("week").dt.strftime("%Y-%m-%d")),
    )  # fmt: skip
