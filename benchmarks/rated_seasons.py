"""Real season files rated by the engine alone, and features of any pairing as of any day: the season ahead, backtested.

Without a database, so that decades take minutes. Of the features of production, those are missing that need more than
results: means over the last five matches, rest, prices, and the goals of the competition's last matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.real_seasons import read_seasons
from touchline.features.catalogue import CATALOGUE, SIDES
from touchline.forecasting.logistic import Floats, Ints
from touchline.identity.competitions import competitions
from touchline.ratings.compiled import LAST_TIER, N_STATE_COLUMNS, STATE_COLUMNS, TIER_BEFORE
from touchline.ratings.engine import NUMBERS, rate_arrays

BREAK_DAYS = 45.0


@dataclass(frozen=True)
class RatedSeasons:
    """Played matches in order of kick-off, and the states (2n + 1, .) of home and away side after each of them.

    `home` and `away` (n,) are places of teams; `before` (n, 2) the rows of `states` as they stood before each match.
    The last row of `states` is that of a team nobody has seen. `rows_of` are the rows of a team, in order.
    """

    matches: pd.DataFrame
    home: Ints
    away: Ints
    states: Floats
    before: Ints
    rows_of: dict[int, Ints]

    def last_rows(self, teams: Ints, n_matches: int) -> Ints:
        """The rows of teams (m,) as they stood before the match at a place in the order."""
        found = np.full(len(teams), len(self.states) - 1)
        for place, team in enumerate(teams.tolist()):
            rows = self.rows_of.get(team, np.empty(0, dtype=np.int64))
            n_before = np.searchsorted(rows, 2 * n_matches)
            if n_before:
                found[place] = rows[n_before - 1]
        return found

    def features(self, rows: Ints, days: Floats, tier: Ints, n_played: Ints, n_teams: Ints) -> pd.DataFrame:
        """The catalogue's features of pairings (m, 2) of rows of `states`, on days since 1970 (m,)."""
        found: dict[str, Any] = {feature.name: np.full(len(rows), np.nan) for feature in CATALOGUE}
        for feature in CATALOGUE:
            for side, name in enumerate(SIDES):
                relation, _, column = feature.taken_from.partition(".")
                if relation == f"{name}_rating":
                    found[feature.name] = self.states[rows[:, side], STATE_COLUMNS.index(column)]
        for side, name in enumerate(SIDES):
            state = self.states[rows[:, side]]
            is_break = days - self._days(rows[:, side]) > BREAK_DAYS
            found[f"{name}_tier_change"] = (
                np.where(is_break, state[:, LAST_TIER], state[:, TIER_BEFORE]) - tier
            )
            found[f"{name}_n_played"] = n_played[:, side].astype(np.float64)
        found["season_progress"] = np.minimum(n_played.sum(axis=1) / (4.0 * (n_teams - 1)), 1.0)
        found["competition_tier"] = tier.astype(np.float64)
        return pd.DataFrame(found)

    def _days(self, rows: Ints) -> Floats:
        days = np.append(np.repeat(self.matches["day"].to_numpy(), 2), np.nan)
        return np.asarray(days[rows], dtype=np.float64)


def rated_seasons(folder: Path, first: int, last: int) -> RatedSeasons:
    """The seasons that began in the years `first` to `last`, in a folder of season files."""
    found = read_seasons(folder, first, last).matches.to_pandas()
    matches = found.dropna(subset=["home_goals", "away_goals"]).sort_values(
        ["kickoff_at", "match_id"], ignore_index=True
    )
    known = competitions()
    matches["tier"] = [known[code].tier for code in matches["competition"]]
    matches["day"] = (
        matches["kickoff_at"].dt.tz_localize(None).to_numpy().astype("datetime64[D]").astype(float)
    )
    matches["outcome"] = 1 - np.sign(matches["home_goals"] - matches["away_goals"]).astype(np.int64)
    country = [known[code].country for code in matches["competition"]]
    names = [[f"{a}|{b}" for a, b in zip(country, matches[f"{side}_team"], strict=True)] for side in SIDES]
    codes, _ = pd.factorize(np.concatenate(names))
    home, away = codes[: len(matches)].astype(np.int64), codes[len(matches) :].astype(np.int64)
    numbers = np.column_stack([
        matches["day"],
        *(matches[name].astype("float64") if name in matches else np.full(len(matches), np.nan) for name in NUMBERS),
    ])  # fmt: skip
    table = np.full((codes.max() + 1, N_STATE_COLUMNS), np.nan)
    after = rate_arrays(numbers, np.column_stack([home, away]), table)
    states = np.vstack([after, np.full(N_STATE_COLUMNS, np.nan)])
    sides: NDArray[np.int64] = np.column_stack([home, away]).ravel()
    order = np.argsort(sides, kind="stable")
    before = np.full(len(sides), len(after))
    is_same = sides[order][1:] == sides[order][:-1]
    before[order[1:][is_same]] = order[:-1][is_same]
    rows_of = dict(zip(np.unique(sides).tolist(), np.split(order, np.flatnonzero(~is_same) + 1), strict=True))
    return RatedSeasons(matches, home, away, states, before.reshape(-1, 2), rows_of)


def training_input(seasons: RatedSeasons) -> pd.DataFrame:
    """All matches as a training frame: features as known before each, outcome, goals, kick-off."""
    matches = seasons.matches
    sides = pd.DataFrame({
        "season": np.repeat((matches["competition"] + matches["season"]).to_numpy(), 2),
        "team": np.column_stack([seasons.home, seasons.away]).ravel(),
    })  # fmt: skip
    n_played = sides.groupby(["season", "team"]).cumcount().to_numpy().reshape(-1, 2)
    n_teams = sides.groupby("season")["team"].transform("nunique").to_numpy().reshape(-1, 2)[:, 0]
    frame = seasons.features(
        seasons.before, matches["day"].to_numpy(), matches["tier"].to_numpy(), n_played, n_teams
    )
    return pd.concat(
        [frame, matches[["outcome", "home_goals", "away_goals", "kickoff_at", "competition", "season"]]],
        axis=1,
    )
