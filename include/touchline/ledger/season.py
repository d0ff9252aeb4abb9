"""The season ahead: how each competition may end, into the ledger, and where it ended once it has."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import numpy as np
import uuid6

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.database.queries import query
from touchline.features.ahead import Around, features_ahead, read_competition_forms, read_teams
from touchline.forecasting.logistic import Floats
from touchline.forecasting.scoreline import MAX_GOALS
from touchline.forecasting.season import (
    N_SIMULATIONS,
    Format,
    Left,
    SeasonForecast,
    SeasonSoFar,
    matches_left,
    simulate_season,
)
from touchline.forecasting.season_format import OUTCOMES, STRENGTH_DEVIATION, format_of
from touchline.ledger.built import require_built, require_the_past
from touchline.ledger.digests import publish_digest
from touchline.quality.holds import held_competitions
from touchline.registry import models
from touchline.registry.models import RegisteredForecaster
from touchline.registry.tracking import open_registry
from touchline.settings import Settings

# A season goes on while a match of it was, or will be, after this long ago; until then its end can be corrected.
LONGEST_PAUSE: Final = timedelta(days=60)
# So often is a finished season ordered to see whether lots, or a match that nobody has reported, decide a place.
N_ORDERS: Final = 200
FORECAST_COLUMNS = (
    "forecast_id", "competition", "season", "team_id", "team", "model_name", "model_version", "forecast_at", "clock",
    "n_simulations", "strength_deviation", "n_played", "n_left", "points", "expected_points", "points_low",
    "points_high", "p_place", *(f"p_{outcome}" for outcome in OUTCOMES), "not_simulated", "basis", "is_simulated",
    "run_id",
)  # fmt: skip
OUTCOME_COLUMNS = (
    "outcome_id", "competition", "season", "team_id", "team", "revision", "place", "points", "reached", "settled_at",
    "run_id",
)  # fmt: skip

Row = Mapping[str, Any]


@dataclass(frozen=True)
class SeasonsReport:
    """What was done: seasons forecast, those of which nothing was new, teams whose season was settled.

    `not_forecast` gives the reason by competition and season.
    """

    as_of: str
    model_version: str | None
    n_forecast: int = 0
    n_unchanged: int = 0
    n_settled: int = 0
    not_forecast: Mapping[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """One sentence for a log, and why seasons were not forecast."""
        if self.model_version is None:
            return "No champion is registered yet, so no season can be forecast; train_models makes one."
        text = (
            f"{self.n_forecast} seasons forecast as of {self.as_of}, {self.n_unchanged} of which nothing is new, "
            f"{self.n_settled} teams settled (model version {self.model_version})."
        )
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, why in self.not_forecast.items():
            by_reason[why].append(name)
        return text + "".join(
            f"\n  not forecast: {', '.join(names)}: {why}" for why, names in by_reason.items()
        )


@dataclass(frozen=True)
class _Season:
    """A season of core: its matches, and what is made of them."""

    competition: str
    name: str
    matches: Sequence[Row]
    teams: Mapping[str, str]
    so_far: SeasonSoFar
    format: Format
    left: Left
    basis: str

    @property
    def key(self) -> tuple[str, str]:
        """Competition and season."""
        return self.competition, self.name

    @property
    def n_played(self) -> dict[str, int]:
        """Matches played by team id."""
        n = Counter(self.so_far.results[:, :2].ravel().tolist())
        return {team: n[place] for place, team in enumerate(self.so_far.teams)}


def forecast_seasons(settings: Settings, clock: RunClock, run_id: str) -> SeasonsReport:
    """Forecast every season that goes on at `clock.as_of`, and settle those that have ended.

    The grid of a match is that of the champion's last prediction in the ledger, or, beyond its horizon, the champion's
    forecast of `features_ahead`. Nothing is written for a season of which matches, deductions, format and champion are
    those of its last forecast, nor for a competition that a quality gate holds. Without a champion nothing happens.

    Raises FeaturesUnavailable when the warehouse knows more than `clock.as_of`; ModelUnavailable and ServiceFailed as
    `predict_matches`; WarehouseNotBuilt.
    """
    as_of = clock.as_of
    registry = open_registry(settings)
    if models.champion_version(registry) is None:
        return SeasonsReport(as_of.isoformat(), None)
    return write_seasons(settings, models.load(registry), clock, run_id)


def write_seasons(
    settings: Settings, champion: RegisteredForecaster, clock: RunClock, run_id: str
) -> SeasonsReport:
    """`forecast_seasons` with a given champion."""
    with connect(settings, "model") as connection:
        require_built(connection, "core.season_format", "features.team_rating", "features.competition_form")
        require_the_past(
            scalar(
                connection,
                "select max(as_of) from ops.layer_build where layer in ('core', 'ratings', 'features')",
            ),
            clock,
        )
        seasons, not_forecast = _seasons(connection, champion, clock)
        written = _written(connection, clock)
        going_on = [each for each in seasons if each.left.pairs and not written.has_ended(each)]
        new = [each for each in going_on if written.basis.get(each.key) != each.basis]
        grids = list(_grids(connection, new, champion, settings, clock))
    forecasts = []
    for season, found in zip(new, grids, strict=True):
        n_silent = sum(bool(np.isnan(found[pair]).any()) for pair in season.left.pairs)
        if n_silent:
            not_forecast[" ".join(season.key)] = (
                f"the champion has no forecast of {n_silent} matches without prices"
            )
        else:
            forecasts.append((season, list(_forecast(season, found, champion, settings, clock, run_id))))
    with connect(settings, "model") as connection:
        # One writer at a time; what another has written meanwhile is not written again.
        connection.execute("select ledger.take_turn()")
        written = _written(connection, clock)
        settled = [
            row
            for season in seasons
            if not season.left.pairs and season.key in written.basis
            for row in _outcomes(season, written.outcomes, clock, run_id)
        ]
        forecasts = [each for each in forecasts if written.basis.get(each[0].key) != each[0].basis]
        _insert(connection, "season_outcome", OUTCOME_COLUMNS, settled)
        for _, made in forecasts:
            _insert(connection, "season_forecast", FORECAST_COLUMNS, made)
    if forecasts or settled:
        publish_digest(settings)
    n_new = len(forecasts)
    return SeasonsReport(
        clock.as_of.isoformat(), champion.version, n_new, len(going_on) - n_new, len(settled), not_forecast
    )


@dataclass(frozen=True)
class _Written:
    """What the ledger says of seasons: the basis of each one's last forecast, and outcomes by season and team."""

    basis: Mapping[tuple[str, str], str]
    outcomes: Mapping[tuple[str, str, str], Row]

    def has_ended(self, season: _Season) -> bool:
        """Whether some team of it was settled."""
        return any((*season.key, team) in self.outcomes for team in season.teams)


def _written(connection: Connection, clock: RunClock) -> _Written:
    last, ended = (
        rows(connection, query(f"ledger/sql/{name}"), {"as_of": clock.as_of})
        for name in ("season_last_words", "season_outcomes")
    )
    return _Written(
        {(row["competition"], row["season"]): row["basis"] for row in last},
        {(row["competition"], row["season"], row["team_id"]): row for row in ended},
    )


def _seasons(
    connection: Connection, champion: RegisteredForecaster, clock: RunClock
) -> tuple[list[_Season], dict[str, str]]:
    """The seasons that can be forecast or settled, and why others cannot."""
    as_of = {"as_of": clock.as_of, "since": clock.as_of - LONGEST_PAUSE}
    by_season: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows(connection, query("ledger/sql/season_matches"), as_of):
        by_season[row["competition"], row["season"]].append(row)
    deducted = {
        (row["competition"], row["season"], row["team_id"]): row["points"]
        for row in rows(connection, query("ledger/sql/season_deductions"), as_of)
    }
    formats = rows(connection, "select * from core.season_format")
    places = rows(connection, "select * from core.season_place")
    held = dict(held_competitions(connection, clock.as_of))
    found, not_forecast = [], {}
    for (competition, name), matches in sorted(by_season.items()):
        format_ = format_of(formats, places, competition, name)
        teams = {row[f"{side}_team_id"]: row[f"{side}_team"] for row in matches for side in ("home", "away")}
        if competition in held:
            not_forecast[f"{competition} {name}"] = f"held: {held[competition]}"
        elif format_ is None:
            not_forecast[f"{competition} {name}"] = "core.season_format has no format of this season"
        elif len(teams) != format_.n_teams:
            not_forecast[f"{competition} {name}"] = f"{len(teams)} of {format_.n_teams} teams are known"
        else:
            so_far = _so_far(
                matches,
                sorted(teams),
                {key[2]: n for key, n in deducted.items() if key[:2] == (competition, name)},
            )
            left = matches_left(so_far, format_)
            basis = _basis(champion, matches, so_far, format_)
            found.append(_Season(competition, name, matches, teams, so_far, format_, left, basis))
    return found, not_forecast


def _so_far(matches: Sequence[Row], teams: Sequence[str], deducted: Mapping[str, int]) -> SeasonSoFar:
    place = {team: number for number, team in enumerate(teams)}

    def pair(row: Row) -> tuple[int, int]:
        return place[row["home_team_id"]], place[row["away_team_id"]]

    results = [(*pair(row), row["home_goals"], row["away_goals"]) for row in matches if _counts(row)]
    return SeasonSoFar(
        tuple(teams),
        np.array(results, dtype=np.int64).reshape(-1, 4),
        tuple(pair(row) for row in matches if not _counts(row) and row["status"] != "cancelled"),
        tuple(pair(row) for row in matches if not _counts(row) and row["status"] == "cancelled"),
        np.array([deducted.get(team, 0) for team in teams], dtype=np.int64),
    )


def _counts(row: Row) -> bool:
    return row["home_goals"] is not None and row["away_goals"] is not None


def _basis(
    champion: RegisteredForecaster, matches: Sequence[Row], so_far: SeasonSoFar, format_: Format
) -> str:
    # A kick-off that moves changes nothing here, and neither does a price.
    told = [
        champion.name, champion.version, repr(format_), repr(STRENGTH_DEVIATION), so_far.deducted.tolist(),
        sorted((row["match_id"], row["status"] == "cancelled", row["home_goals"], row["away_goals"]) for row in matches
               if _counts(row) or row["status"] == "cancelled"),
        so_far.teams,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _grids(
    connection: Connection, seasons: Sequence[_Season], champion: RegisteredForecaster, settings: Settings,
    clock: RunClock,
) -> Iterator[Floats]:  # fmt: skip
    """Grids (t, t, 11, 11) of each season's matches left: of the ledger, or as the champion forecasts them now."""
    if not seasons:
        return
    wanted = [row["match_id"] for season in seasons for row in season.matches if not _counts(row)]
    # An older one is of a match that was called off, and knows less than the teams' ratings do now.
    since = clock.as_of - timedelta(days=settings.horizon_days)
    asked = {"match_ids": wanted, "as_of": clock.as_of, "since": since}
    predicted = {
        row["match_id"]: np.array(row["scoreline_grid"])
        for row in rows(connection, query("ledger/sql/season_grids"), asked)
    }
    forms = read_competition_forms(connection, clock.as_of)
    tiers = {
        row["competition"]: row["tier"]
        for row in rows(connection, "select competition, tier from core.competition")
    }
    fixtures, cells, found = [], [], []
    for number, season in enumerate(seasons):
        n_teams = len(season.so_far.teams)
        grids = np.zeros((n_teams, n_teams, MAX_GOALS + 1, MAX_GOALS + 1))
        place = {team: number for number, team in enumerate(season.so_far.teams)}
        known = {
            (place[row["home_team_id"]], place[row["away_team_id"]]): predicted[row["match_id"]]
            for row in season.matches
            if row["match_id"] in predicted
        }
        for pair, grid in known.items():
            grids[pair] = grid
        now = read_teams(connection, season.n_played, clock.as_of)
        around = Around(tiers[season.competition], n_teams, forms.get(season.competition, {}))
        for home, away in season.left.pairs:
            if (home, away) not in known:
                fixtures.append((now[season.so_far.teams[home]], now[season.so_far.teams[away]], around))
                cells.append((number, home, away))
        found.append(grids)
    if fixtures:
        forecast = champion.forecaster.predict(features_ahead(fixtures, clock.as_of))[
            champion.forecaster.primary
        ]
        for (number, home, away), grid in zip(cells, forecast.grid, strict=True):
            found[number][home, away] = grid
    yield from found


def _forecast(
    season: _Season, grids: Floats, champion: RegisteredForecaster, settings: Settings, clock: RunClock, run_id: str
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """The rows of a season, one a team."""
    n_teams = len(season.teams)
    n_left = season.left.n_left(n_teams)
    deviation = STRENGTH_DEVIATION(float(n_left.mean()))
    said = simulate_season(
        season.so_far, season.format, grids, deviation, N_SIMULATIONS, _seed(settings, clock, season)
    )
    points = _points_now(season)
    p_outcome = {name: said.p_outcome(places) for name, places in season.format.places.items()}
    for place, team in enumerate(season.so_far.teams):
        yield {
            "forecast_id": str(uuid6.uuid7()),
            "competition": season.competition,
            "season": season.name,
            "team_id": team,
            "team": season.teams[team],
            "model_name": champion.name,
            "model_version": champion.version,
            "forecast_at": clock.as_of,
            "clock": clock.mode,
            "n_simulations": N_SIMULATIONS,
            "strength_deviation": deviation,
            "n_played": season.n_played[team],
            "n_left": int(n_left[place]),
            "points": int(points[place]),
            "expected_points": float(said.expected_points[place]),
            "points_low": int(said.points_low[place]),
            "points_high": int(said.points_high[place]),
            "p_place": said.p_place[place].tolist(),
            **{f"p_{name}": _at(p_outcome.get(name), place) for name in OUTCOMES},
            "not_simulated": season.format.not_simulated,
            "basis": season.basis,
            "is_simulated": season.matches[0]["is_simulated"],
            "run_id": run_id,
        }


def _at(p: Floats | None, place: int) -> float | None:
    # Sums of shares may be a rounding error above one.
    return None if p is None else min(float(p[place]), 1.0)


def _points_now(season: _Season) -> np.ndarray[Any, np.dtype[np.int64]]:
    home, away, home_goals, away_goals = season.so_far.results.T
    gap = np.sign(home_goals - away_goals)
    points = -season.so_far.deducted
    for team, won in ((home, gap), (away, -gap)):
        np.add.at(points, team, np.array([0, 1, 3])[won + 1])
    return points


def _outcomes(
    season: _Season, ended: Mapping[tuple[str, str, str], Row], clock: RunClock, run_id: str
) -> Iterator[dict[str, Any]]:
    """New rows of a season that has ended; a team on whose place only a lot or another match decides gets none."""
    said = _final(season)
    for number, team in enumerate(season.so_far.teams):
        place = int(said.p_place[number].argmax()) + 1
        if said.p_place[number, place - 1] < 1:
            continue
        reached = [name for name, (first, last) in season.format.places.items() if first <= place <= last]
        row = {"place": place, "points": int(said.expected_points[number]), "reached": reached}
        last = ended.get((*season.key, team))
        if last is not None and all(last[name] == value for name, value in row.items()):
            continue
        yield {
            **row,
            "outcome_id": str(uuid6.uuid7()),
            "competition": season.competition,
            "season": season.name,
            "team_id": team,
            "team": season.teams[team],
            "revision": 1 if last is None else last["revision"] + 1,
            "settled_at": clock.as_of,
            "run_id": run_id,
        }


def _final(season: _Season) -> SeasonForecast:
    n_teams = len(season.so_far.teams)
    nothing_left = np.zeros((n_teams, n_teams, MAX_GOALS + 1, MAX_GOALS + 1))
    return simulate_season(season.so_far, season.format, nothing_left, 0.0, N_ORDERS, [0])


def _seed(settings: Settings, clock: RunClock, season: _Season) -> list[int]:
    name = zlib.crc32(f"{season.competition} {season.name}".encode())
    return [settings.random_seed, int(clock.as_of.timestamp()), name]


def _insert(connection: Connection, table: str, columns: Sequence[str], given: Sequence[Row]) -> None:
    values = ", ".join(f"%({name})s" for name in columns)
    with connection.cursor() as cursor:
        cursor.executemany(f"insert into ledger.{table} ({', '.join(columns)}) values ({values})", given)  # noqa: S608
