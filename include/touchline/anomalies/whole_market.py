"""A match whose prices, at every bookmaker alike, do not fit what the same teams were priced at before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from touchline.anomalies.finding import MATCH, findings, nothing
from touchline.robust import centre_and_sigma

# A constant-gain filter over the log-odds of prices, as Elo is over results; new teams learn faster.
GAIN = 0.2
MOST_STEP = 1.0
FEWEST_MATCHES = 6
FEWEST_RESIDUALS = 60
SCALE_FLOOR = 0.15
LOOKS_WRONG = 5.5
# In the last rounds sides with nothing to play for meet sides with everything: prices stray further from the past.
LAST_ROUNDS = timedelta(days=250)
STRETCH_OF_LAST_ROUNDS = 1.8
FITS = 2.5
WHAT_TO_DO = (
    "All prices of the match are doubtful: compare them with the body (landing.payload) and another source; where a "
    "name means the wrong team, `touchline teams unlink` and `link` settle it, then `touchline collect`."
)


@dataclass
class _Strengths:
    """What the market thought of each team of one competition, in log-odds of `side`."""

    team: dict[str, float] = field(default_factory=dict)
    n: dict[str, int] = field(default_factory=dict)
    home: float = 0.4

    def residual(self, home: str, away: str, side: float) -> tuple[float, bool]:
        """How far `side` is from expected, and whether both teams are known well enough to say."""
        expected = self.home + self.team.get(home, 0.0) - self.team.get(away, 0.0)
        known = min(self.n.get(home, 0), self.n.get(away, 0)) >= FEWEST_MATCHES
        error = side - expected
        step = max(-MOST_STEP, min(MOST_STEP, error))
        for name, sign in ((home, 1.0), (away, -1.0)):
            n = self.n.get(name, 0)
            self.team[name] = self.team.get(name, 0.0) + sign * step * max(GAIN, 0.5 / (n + 1))
            self.n[name] = n + 1
        self.home += 0.005 * step
        return error, known


def with_expected_side(sides: pl.DataFrame) -> pl.DataFrame:
    """Matches with `expected_side` from the `side` of both teams' earlier matches; null while they are too few."""
    ordered = sides.sort("kickoff_at", "match_id")
    strengths: dict[str, _Strengths] = {}
    expected: list[float | None] = []
    for competition, home, away, side in ordered.select(
        "competition", "home_team", "away_team", "side"
    ).iter_rows():
        error, known = strengths.setdefault(competition, _Strengths()).residual(home, away, side)
        expected.append(side - error if known else None)
    return ordered.with_columns(expected_side=pl.Series(expected, dtype=pl.Float64))


def _stretch() -> pl.Expr:
    """What an error is measured in: more where the sides are unequal, and in the last rounds."""
    first = pl.col("kickoff_at").min().over("competition", "season")
    is_late = pl.col("kickoff_at") > first + LAST_ROUNDS
    unequal = 1 + pl.col("expected_side").abs() / 4
    return unequal * pl.when(is_late).then(STRETCH_OF_LAST_ROUNDS).otherwise(1.0)


def find_market_anomalies(sides: pl.DataFrame, is_new: pl.Expr) -> pl.DataFrame:
    """New matches whose prices look like another match's.

    `sides`: core.match, new and earlier, with `side`, the ln(price_away / price_home) of the consensus before kick-off.
    """
    if sides.is_empty():
        return nothing()
    rated = with_expected_side(sides.filter(pl.col("side").is_finite())).drop_nulls("expected_side")
    rated = rated.with_columns(stretch=_stretch(), is_new=is_new).with_columns(
        residual=(pl.col("side") - pl.col("expected_side")) / pl.col("stretch")
    )
    parts = [nothing()]
    for _, frame in rated.group_by("competition", maintain_order=True):
        usual, new = frame.filter(~pl.col("is_new")), frame.filter(pl.col("is_new"))
        if usual.height < FEWEST_RESIDUALS or new.is_empty():
            continue
        centre, scale = centre_and_sigma(usual["residual"].to_numpy(), SCALE_FLOOR)
        suspects = new.with_columns(score=((pl.col("residual") - centre) / scale).abs()).filter(
            pl.col("score") >= LOOKS_WRONG
        )
        turned = (pl.col("side") + pl.col("expected_side")).abs() < FITS * scale * pl.col("stretch")
        parts.append(
            findings(
                suspects,
                detector="market_unlike_teams",
                subject_kind="match",
                subject=pl.col("match_id"),
                what=pl.when(turned)
                .then(pl.lit("all bookmakers have home and away exchanged"))
                .otherwise(pl.lit("the prices of all bookmakers do not fit the two teams")),
                place=MATCH,
                observed=pl.col("side"),
                expected=pl.col("expected_side"),
                score=pl.col("score"),
                compared_with=pl.format(
                    "the prices of both teams' earlier matches, errors of {} matches of {}",
                    pl.lit(usual.height), "competition",
                ),
                what_to_do=WHAT_TO_DO,
                severity="warn",
            )
        )  # fmt: skip
    return pl.concat(parts)
