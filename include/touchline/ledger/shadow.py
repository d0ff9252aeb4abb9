"""Challengers forecast in the shadow: when one fails, only its own predictions are missing."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from touchline.clock import RunClock
from touchline.features.online import FeatureRead
from touchline.ledger.prediction import Row, gate_frame, predictions_of
from touchline.quality.gates import broken_challenger
from touchline.registry import models
from touchline.registry.tracking import Registry
from touchline.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shadow:
    """Rows of the challengers to write, the number of matches without a forecast, and the challengers' problems."""

    predictions: tuple[dict[str, Any], ...] = ()
    n_without_forecast: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, other: Shadow) -> Shadow:
        return Shadow(
            self.predictions + other.predictions,
            self.n_without_forecast + other.n_without_forecast,
            self.problems + other.problems,
        )


def shadow_predictions(
    registry: Registry,
    settings: Settings,
    fixtures: Sequence[Row],
    read: FeatureRead,
    clock: RunClock,
    run_id: str,
) -> Shadow:
    """Each challenger's forecasts of the fixtures, without those that fail the gate's expectations."""
    said = Shadow()
    for version in models.challenger_versions(registry):
        try:
            challenger = models.load_version(registry, version)
            said += _said_by(challenger, settings, fixtures, read, clock, run_id)
        except Exception as error:
            log.exception("challenger version %s forecasts nothing", version)
            said += Shadow(
                problems=(f"version {version} forecasts nothing: {type(error).__name__}: {error}",)
            )
    return said


def _said_by(
    challenger: models.RegisteredForecaster, settings: Settings, fixtures: Sequence[Row], read: FeatureRead,
    clock: RunClock, run_id: str,
) -> Shadow:  # fmt: skip
    made = list(predictions_of(fixtures, read, challenger, "challenger", clock, run_id))
    forecast = [row for row in made if not math.isnan(row["p_home"])]
    if not forecast:
        return Shadow(n_without_forecast=len(made))
    frame = gate_frame(forecast)
    broken = broken_challenger(settings, frame)
    passed = tuple(row for row, key in zip(forecast, frame["row_key"], strict=True) if key not in broken)
    problems: tuple[str, ...] = ()
    if broken:
        reasons = ", ".join(sorted(set(broken.values())))
        n_left_out = len(forecast) - len(passed)
        problems = (
            f"version {challenger.version}: {n_left_out} of {len(forecast)} predictions left out: {reasons}",
        )
        log.warning("challenger %s", problems[0])
    return Shadow(passed, len(made) - len(forecast), problems)
