"""All detectors over one stretch of time: what is new is compared with what was known before the stretch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from touchline.anomalies.bookmakers import find_missing_bookmakers
from touchline.anomalies.change_points import find_change_points
from touchline.anomalies.distributions import find_shifted_features
from touchline.anomalies.finding import nothing
from touchline.anomalies.levels import find_level_anomalies
from touchline.anomalies.odds import find_odds_anomalies
from touchline.anomalies.relations import find_disagreeing_markets
from touchline.anomalies.results import find_result_anomalies
from touchline.anomalies.weeks import is_judged, weekly
from touchline.anomalies.whole_market import find_market_anomalies

# A stretch is at most this long: its first day is the end of what its last day is compared with.
STRETCH = timedelta(days=28)
HISTORY = timedelta(days=3 * 365 + 60)
YEAR = timedelta(days=400)
# Matches of each competition whose quotes give the spread of its bookmakers.
REFERENCE_MATCHES = 60
# Columns of features.match_features that are no features, or follow the calendar and so differ from the year's average;
# the number of bookmakers is judged by week.
NOT_JUDGED = frozenset(
    {"match_id", "competition", "country", "tier", "season", "kickoff_at", "features_as_of", "is_played", "month",
     "season_progress", "h2h_n_matches", "market_n_bookmakers"}
)  # fmt: skip
FOLLOWS_CALENDAR = (
    "market_price_hours",
    "_rest_days",
    "_n_matches_14d",
    "_n_played",
    "_position",
    "_points_per_match",
)


@dataclass(frozen=True)
class World:
    """What was known as of an instant.

    `matches`: core.match left joined with core.match_result (result_known_at) and features.match_features, over
    `HISTORY`; `quotes`: core.match_odds with the names and kick-off of its match: the new ones and those of the last
    `REFERENCE_MATCHES` of each competition before; `features`: names of the columns that are features.
    """

    matches: pl.DataFrame
    quotes: pl.DataFrame
    features: tuple[str, ...]


def anomalies_between(world: World, since: datetime, as_of: datetime) -> pl.DataFrame:
    """Findings about rows that became known after `since` and by `as_of`, and weeks that ended then.

    `as_of` is at most `STRETCH` after `since`. Nothing in `world` may have become known after `as_of`; references are
    what was known by `since`, and kick-offs before it.
    """
    matches = world.matches
    if matches.is_empty():
        return nothing()
    past = (pl.col("result_known_at") <= since) & (pl.col("kickoff_at") > since - YEAR)
    fresh = (pl.col("result_known_at") > since) & (pl.col("result_known_at") <= as_of)
    results, usual_results = matches.filter(fresh), matches.filter(past)
    fresh_quotes = world.quotes.filter((pl.col("known_at") > since) & (pl.col("known_at") <= as_of))
    priced = matches.filter(pl.col("market_price_home").is_not_null() & (pl.col("kickoff_at") > since - YEAR))
    is_new_price = pl.col("match_id").is_in(
        fresh_quotes.filter(pl.col("stage") == "prematch")["match_id"].unique().implode()
    )
    sides = priced.with_columns(side=(pl.col("market_price_away") / pl.col("market_price_home")).log())
    weeks = weekly(matches)
    judged = is_judged(since, as_of)
    return pl.concat(
        [
            find_odds_anomalies(fresh_quotes, last_matches(world.quotes, since)),
            find_market_anomalies(sides, is_new_price),
            find_disagreeing_markets(priced.filter(is_new_price), priced.filter(past)),
            find_result_anomalies(results, usual_results),
            find_level_anomalies(weeks, judged),
            find_missing_bookmakers(weeks, judged),
            find_change_points(weeks, judged),
            find_shifted_features(
                matches.filter(pl.col("kickoff_at") > since - YEAR), judged_features(world.features), since, as_of
            ),
        ]
    )  # fmt: skip


def judged_features(names: Iterable[str]) -> list[str]:
    """Those of the columns of features.match_features whose distribution should stay as it is."""
    return [name for name in names if name not in NOT_JUDGED and not name.endswith(FOLLOWS_CALENDAR)]


def last_matches(quotes: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """Quotes known by `since` of each competition's last matches that kicked off before."""
    before = quotes.filter((pl.col("known_at") <= since) & (pl.col("kickoff_at") <= since))
    order = before.select("competition", "match_id", "kickoff_at").unique().sort("kickoff_at", "match_id")
    chosen = order.group_by("competition", maintain_order=True).tail(REFERENCE_MATCHES)
    return before.join(chosen.select("match_id"), on="match_id", how="semi")
