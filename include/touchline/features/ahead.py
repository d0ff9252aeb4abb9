"""Features of fixtures that have no date yet: what is known of both teams now, and nothing of the day or of prices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from touchline.database.engine import Connection, rows
from touchline.database.queries import query
from touchline.features.catalogue import CATALOGUE, FEATURES, SIDES

# As in match_features.sql: from then on, the tier of the last match is that before a break.
BREAK = timedelta(days=45)

State = Mapping[str, Any]


@dataclass(frozen=True)
class TeamNow:
    """A team in its competition: its columns of features.team_rating and features.team_form, empty before its first
    match, and matches played in the season."""

    rating: State
    form: State
    n_played: int


@dataclass(frozen=True)
class Around:
    """A competition: its tier, the teams in it, and its columns of features.competition_form."""

    tier: int
    n_teams: int
    form: State


def read_teams(connection: Connection, n_played: Mapping[str, int], as_of: datetime) -> dict[str, TeamNow]:
    """The teams of `n_played` (matches in the season by team id) as known at an instant (UTC)."""
    asked = {"team_ids": list(n_played), "as_of": as_of}
    ratings, forms = (
        {str(row["team_id"]): row for row in rows(connection, query(f"features/sql/{name}"), asked)}
        for name in ("team_ratings", "team_forms")
    )
    return {team: TeamNow(ratings.get(team, {}), forms.get(team, {}), n) for team, n in n_played.items()}


def read_competition_forms(connection: Connection, as_of: datetime) -> dict[str, State]:
    """The columns of features.competition_form of every competition, as known at an instant (UTC)."""
    found = rows(connection, query("features/sql/competition_forms"), {"as_of": as_of})
    return {row["competition"]: row for row in found}


def features_ahead(fixtures: Sequence[tuple[TeamNow, TeamNow, Around]], as_of: datetime) -> pd.DataFrame:
    """Features of fixtures (home, away, competition) as of an instant (UTC), a row each, in the catalogue's columns.

    They are those of features.match_features, but for what only a date or a bookmaker tells: days of rest, matches in
    the fortnight before, and prices are unknown (NaN).
    """
    return pd.DataFrame(
        [
            _features(dict(zip(SIDES, (home, away), strict=True)), around, as_of)
            for home, away, around in fixtures
        ],
        columns=list(FEATURES),
        dtype="float64",
    )


def _features(sides: Mapping[str, TeamNow], around: Around, as_of: datetime) -> dict[str, float]:
    relations: dict[str, State] = {"around": around.form}
    for side, team in sides.items():
        relations |= {f"{side}_rating": team.rating, f"{side}_form": team.form}
    found = {}
    for feature in CATALOGUE:
        relation, _, column = feature.taken_from.partition(".")
        value = relations.get(relation, {}).get(column)
        found[feature.name] = math.nan if value is None else float(value)
    for side, team in sides.items():
        found[f"{side}_n_played"] = float(team.n_played)
        found[f"{side}_tier_change"] = _tier_change(team.rating, around.tier, as_of)
    n_played = sum(team.n_played for team in sides.values())
    found["season_progress"] = min(n_played / (4.0 * max(around.n_teams - 1, 1)), 1.0)
    found["competition_tier"] = float(around.tier)
    return found


def _tier_change(rating: State, tier: int, as_of: datetime) -> float:
    if not rating:
        return math.nan
    before = rating["last_tier" if as_of - rating["kickoff_at"] > BREAK else "tier_before"]
    return math.nan if before is None else float(before) - tier
