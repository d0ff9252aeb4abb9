"""Real season files as the frames that the anomaly detectors read, without a database."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from touchline.anomalies.detectors import HISTORY, YEAR, World
from touchline.settings import PROJECT_ROOT
from touchline.sources.football_data_uk.parse import parse

FORM = ("goals_for", "goals_against", "shots_for", "points")
FEATURES = (
    *(f"{side}_{name}_5" for side in ("home", "away") for name in FORM),
    *(f"market_{name}" for name in ("price_home", "price_draw", "price_away", "price_over", "price_under",
                                    "handicap_line", "handicap_home", "handicap_away", "n_bookmakers", "spread")),
)  # fmt: skip


@dataclass(frozen=True)
class Seasons:
    """Matches with their results (one row a match), and quotes; shaped as core.match, match_result, match_odds."""

    matches: pl.DataFrame
    quotes: pl.DataFrame


def archive() -> Path:
    """Where the real season files are kept."""
    shared = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    return shared / "football_data_uk" / "season_files_1993_2023.tar.xz"


@contextmanager
def unpacked() -> Iterator[Path]:
    """A folder of all real season files, gone afterwards."""
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.unpack_archive(archive(), folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def read_seasons(folder: Path, first: int, last: int, competitions: tuple[str, ...] = ()) -> Seasons:
    """The seasons beginning in the years `first` to `last`, through the production parser."""
    fixtures, scores, quotes = [], [], []
    for year in range(first, last + 1):
        code = f"{year % 100:02d}{(year + 1) % 100:02d}"
        for path in sorted((folder / code).glob("*.csv")):
            if competitions and path.stem not in competitions:
                continue
            said = parse(f"mmz4281/{code}/{path.name}", path.read_bytes())
            fixtures.append(said.fixtures)
            scores.append(said.scores)
            quotes.append(said.quotes)
    results = (
        pl.concat(scores, how="diagonal_relaxed")
        .drop("row_number")
        .rename({"published_at": "result_known_at"})
    )
    matches = (
        pl.concat(fixtures)
        .unique("fixture_key", keep="first", maintain_order=True)
        .join(results, on="fixture_key", how="left")
        .rename({"fixture_key": "match_id", "published_at": "known_at"})
        .drop("row_number")
        .sort("kickoff_at", "match_id")
    )
    named = matches.select("match_id", "competition", "season", "home_team", "away_team", "kickoff_at")
    stage = pl.when("is_closing").then(pl.lit("closing")).otherwise(pl.lit("prematch"))
    prices = (
        pl.concat(quotes)
        .rename({"fixture_key": "match_id", "published_at": "known_at"})
        .with_columns(stage=stage, line=pl.col("line").cast(pl.Float64))
        .drop("is_closing", "row_number")
        .join(named, on="match_id")
    )
    return Seasons(matches, prices)


def with_features(seasons: Seasons) -> pl.DataFrame:
    """Matches with the features that need no database: the consensus as features.market_view has it, and form."""
    before = seasons.quotes.filter(pl.col("stage") == "prematch")
    given = before.filter(pl.col("bookmaker") == "market_average")
    own = before.filter((pl.col("market") == "1x2") & ~pl.col("bookmaker").str.starts_with("market_"))
    overround = 1 / pl.col("price_home") + 1 / pl.col("price_draw") + 1 / pl.col("price_away")
    home = 1 / pl.col("price_home") / overround
    counted = own.group_by("match_id").agg(
        market_n_bookmakers=pl.len().cast(pl.Float64),
        market_spread=(home.max() - home.min()).cast(pl.Float64),
    )
    markets = [
        ("1x2", {"price_home": "price_home", "price_draw": "price_draw", "price_away": "price_away"}),
        ("over_under", {"price_over": "price_over", "price_under": "price_under"}),
        ("asian_handicap", {"line": "handicap_line", "price_home": "handicap_home", "price_away": "handicap_away"}),
    ]  # fmt: skip
    matches = seasons.matches.join(counted, on="match_id", how="left")
    for market, columns in markets:
        prices = given.filter(pl.col("market") == market).unique(
            "match_id", keep="first", maintain_order=True
        )
        renamed = prices.select(
            "match_id",
            *(pl.col(theirs).cast(pl.Float64).alias(f"market_{ours}") for theirs, ours in columns.items()),
        )
        matches = matches.join(renamed, on="match_id", how="left")
    return _with_form(matches)


def _with_form(matches: pl.DataFrame) -> pl.DataFrame:
    sides = []
    for side, other in (("home", "away"), ("away", "home")):
        ours, theirs = pl.col(f"{side}_goals"), pl.col(f"{other}_goals")
        sides.append(
            matches.select(
                "match_id", "competition", "kickoff_at", side=pl.lit(side), team=f"{side}_team",
                goals_for=ours.cast(pl.Float64), goals_against=theirs.cast(pl.Float64),
                shots_for=pl.col(f"{side}_shots").cast(pl.Float64),
                points=pl.when(ours > theirs).then(3.0).when(ours == theirs).then(1.0).when(ours < theirs).then(0.0),
            )
        )  # fmt: skip
    # A team keeps its form when it changes divisions: E0 to E3 and EC are one country.
    country = pl.col("competition").str.replace(r"[0-9C]+$", "")
    team = [country, pl.col("team")]
    form = (
        pl.concat(sides)
        .sort("kickoff_at", "match_id")
        .with_columns(pl.col(name).rolling_mean(5, min_samples=2).shift(1).over(team) for name in FORM)
    )
    for side in ("home", "away"):
        of_side = form.filter(pl.col("side") == side).select(
            "match_id", *(pl.col(name).alias(f"{side}_{name}_5") for name in FORM)
        )
        matches = matches.join(of_side, on="match_id", how="left")
    return matches


def world_between(matches: pl.DataFrame, quotes: pl.DataFrame, since: datetime, as_of: datetime) -> World:
    """What was known as of an instant, with the history that the detectors ask for."""
    counted = [
        name for name in matches.columns if name.startswith(("home_", "away_")) and name[5:] in RESULT_COLUMNS
    ]
    is_unknown = pl.col("result_known_at") > as_of
    known = matches.filter(
        (pl.col("known_at") <= as_of)
        & (pl.col("kickoff_at") > since - HISTORY)
        & (pl.col("kickoff_at") <= as_of)
    ).with_columns(
        *(pl.when(~is_unknown).then(pl.col(name)).alias(name) for name in counted),
        result_known_at=pl.when(~is_unknown).then(pl.col("result_known_at")),
    )
    priced = quotes.filter((pl.col("known_at") <= as_of) & (pl.col("kickoff_at") > since - YEAR))
    return World(known, priced, FEATURES)


RESULT_COLUMNS = frozenset(
    {"goals", "shots", "shots_on_target", "corners", "fouls", "yellow_cards", "red_cards"}
)
