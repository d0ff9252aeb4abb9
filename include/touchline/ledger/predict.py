"""Batch prediction: every fixture in the horizon, into the ledger, before kick-off or not at all."""

from __future__ import annotations

import math
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows, scalar
from touchline.errors import (
    CompetitionHeld,
    FeaturesUnavailable,
    FixtureAlreadyKickedOff,
    MatchUnknown,
    SettingsInvalid,
)
from touchline.features.online import read_features
from touchline.ledger.built import require_built, require_the_past
from touchline.ledger.digests import publish_digest
from touchline.ledger.prediction import append, gate_frame, predictions_of
from touchline.ledger.shadow import shadow_predictions
from touchline.quality.gates import PREDICTIONS, check_predictions
from touchline.quality.holds import held_competitions
from touchline.registry import models
from touchline.registry.tracking import open_registry
from touchline.settings import Settings

FIXTURE = """
select match.match_id::text as match_id, match.competition, match.season, match.home_team, match.away_team,
    match.kickoff_at, match.is_simulated, match.is_played, match.status, features.features_as_of
from core.match
left join features.match_features as features on features.match_id = match.match_id
"""
UPCOMING = """
where not match.is_played and match.status = 'scheduled' and match.kickoff_at > %(after)s
    and match.kickoff_at <= %(until)s
order by match.kickoff_at, match.match_id
"""
SHOWN_REFUSALS = 5


@dataclass(frozen=True)
class PredictReport:
    """What a batch did. `n_fixtures` and `n_refused` count fixtures, the others rows (one per forecast).

    `refusals` gives the reason for each refused fixture (by match id), `without_forecast` the match ids for which the
    champion has no forecast, `held` the reason for each competition that a quality gate holds and that got nothing
    new, `shadow_problems` what went wrong with each challenger.
    """

    as_of: str
    model_version: str | None
    n_fixtures: int
    n_written: int
    n_already_there: int
    n_refused: int
    n_without_forecast: int
    feature_store: str | None
    refusals: Mapping[str, str] = field(default_factory=dict)
    without_forecast: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    shadow_problems: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One sentence for a log, and why fixtures were refused."""
        if self.model_version is None:
            return (
                "No champion is registered yet, so there is nothing to predict with; train_models makes one."
            )
        store = f", {self.feature_store} features" if self.feature_store else ""
        text = (
            f"{self.n_fixtures} fixtures as of {self.as_of}: {self.n_written} predictions written, "
            f"{self.n_already_there} already there, {self.n_refused} fixtures refused, "
            f"{self.n_without_forecast} without a forecast (model version {self.model_version}{store})."
        )
        text += "".join(f"\n  refused: {reason}" for reason in [*self.refusals.values()][:SHOWN_REFUSALS])
        text += "".join(f"\n  held: {reason}" for reason in self.held)
        return text + "".join(f"\n  challenger: {problem}" for problem in self.shadow_problems)


def predict_matches(
    settings: Settings, clock: RunClock, run_id: str, match_id: str | None = None
) -> PredictReport:
    """Predict every fixture that kicks off within `settings.horizon_days` after `clock.as_of`, or one match.

    The champion's primary forecast gets role champion, its other forecasts role baseline, the challenger's
    primary forecast role challenger. The same model on the same features is not written again. A fixture that
    kicks off meanwhile is refused and counted, and nothing is written for a competition that a quality gate holds.
    When a challenger fails, only its own predictions are missing (`shadow`). Without a champion nothing happens.

    Raises QualityGateFailed before anything is written; FeaturesUnavailable when no store has the features, or
    they know more than `clock.as_of`; ModelUnavailable when this code cannot read the champion, ServiceFailed when it
    cannot be downloaded; WarehouseNotBuilt; SettingsInvalid when the database holds predictions of the other clock;
    for a given match also MatchUnknown, FixtureAlreadyKickedOff and CompetitionHeld.
    """
    as_of = clock.as_of.isoformat()
    registry = open_registry(settings)
    version = models.champion_version(registry)
    if version is None:
        return PredictReport(as_of, None, 0, 0, 0, 0, 0, None)
    champion = models.load_version(registry, version)
    with connect(settings, "model") as connection:
        require_built(connection, "core.match", "features.match_features")
        fixtures = (
            _upcoming(connection, settings, clock)
            if match_id is None
            else [_requested(connection, match_id, clock)]
        )
        world = scalar(connection, "select clock from ops.world")
        # Competitions held by this gate itself are forecast and checked again, so that the hold can end.
        held = dict(held_competitions(connection, clock.as_of, without_gate=PREDICTIONS))
    fixtures, wanted = [each for each in fixtures if each["competition"] not in held], fixtures
    if not fixtures:
        if match_id is not None:
            raise _held(wanted[0], held)
        return PredictReport(as_of, champion.version, 0, 0, 0, 0, 0, None, held=_told(held, wanted))
    _require_features_of_the_past(fixtures, clock)
    if world is not None and world != clock.mode:
        raise SettingsInvalid(
            f"this database holds {world} predictions and this run is {clock.mode}: set TOUCHLINE_DATABASE_NAME to "
            "another database"
        )
    read = read_features(settings, [fixture["match_id"] for fixture in fixtures], clock.as_of)
    predictions = list(predictions_of(fixtures, read, champion, "champion", clock, run_id))
    forecast = [row for row in predictions if not math.isnan(row["p_home"])]
    if forecast:
        report = check_predictions(settings, gate_frame(forecast), clock.as_of, run_id)
        held |= report.held_because
    shadow = shadow_predictions(registry, settings, fixtures, read, clock, run_id)
    n_without = len(predictions) - len(forecast) + shadow.n_without_forecast
    forecast = [row for row in [*forecast, *shadow.predictions] if row["competition"] not in held]
    if match_id is not None and fixtures[0]["competition"] in held:
        raise _held(fixtures[0], held)
    appended = append(settings, forecast)
    publish_digest(settings)
    if match_id is not None and appended.refused:
        raise _kicked_off(fixtures[0], clock)
    return PredictReport(
        as_of=as_of,
        model_version=champion.version,
        n_fixtures=len(fixtures),
        n_written=appended.n_written,
        n_already_there=len(forecast) - appended.n_refused_rows - appended.n_written,
        n_refused=len(appended.refused),
        n_without_forecast=n_without,
        feature_store=read.store,
        refusals=appended.refused,
        without_forecast=tuple(
            row["match_id"] for row in predictions if row["role"] == "champion" and math.isnan(row["p_home"])
        ),
        held=_told(held, wanted),
        shadow_problems=shadow.problems,
    )


def _upcoming(connection: Connection, settings: Settings, clock: RunClock) -> list[dict[str, Any]]:
    until = clock.as_of + timedelta(days=settings.horizon_days)
    return rows(connection, FIXTURE + UPCOMING, {"after": clock.as_of, "until": until})


def _requested(connection: Connection, match_id: str, clock: RunClock) -> dict[str, Any]:
    try:
        wanted = uuid.UUID(match_id)
    except ValueError as error:
        raise MatchUnknown(f"{match_id!r} is not a match id: they are in core.match") from error
    found = rows(connection, FIXTURE + "where match.match_id = %s", (wanted,))
    if not found:
        raise MatchUnknown(f"core.match has no match {match_id}: collect and build first")
    (fixture,) = found
    if fixture["is_played"] or fixture["kickoff_at"] <= clock.as_of:
        raise _kicked_off(fixture, clock)
    if fixture["status"] != "scheduled":
        raise MatchUnknown(f"{_name(fixture)} is {fixture['status']}, not a fixture that will be played then")
    return fixture


def _require_features_of_the_past(fixtures: Sequence[dict[str, Any]], clock: RunClock) -> None:
    """Refuse fixtures without features, and a warehouse built as of a later instant, which knows too much."""
    missing = [fixture for fixture in fixtures if fixture["features_as_of"] is None]
    if missing:
        raise FeaturesUnavailable(
            f"{len(missing)} of {len(fixtures)} fixtures have no features (first: {_name(missing[0])}); "
            "run `touchline build`"
        )
    require_the_past(max(fixture["features_as_of"] for fixture in fixtures), clock)


def _kicked_off(fixture: dict[str, Any], clock: RunClock) -> FixtureAlreadyKickedOff:
    return FixtureAlreadyKickedOff(
        f"{_name(fixture)} kicked off at {fixture['kickoff_at'].isoformat()}, it is {clock.as_of.isoformat()}: "
        "a prediction is written before kick-off or not at all"
    )


def _held(fixture: dict[str, Any], held: Mapping[str, str]) -> CompetitionHeld:
    return CompetitionHeld(
        f"{_name(fixture)}: {fixture['competition']} is held, because of {held[fixture['competition']]}; "
        "see `touchline quality holds`"
    )


def _told(held: Mapping[str, str], fixtures: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Competition, number of its fixtures and reason, for each hold that affects a fixture."""
    n = Counter(fixture["competition"] for fixture in fixtures)
    return tuple(
        f"{competition} ({n[competition]} fixtures): {reason}"
        for competition, reason in sorted(held.items())
        if competition in n
    )


def _name(fixture: dict[str, Any]) -> str:
    return f"{fixture['home_team']} against {fixture['away_team']}"
