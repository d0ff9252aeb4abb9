"""Feature drift: do the features of current predictions still look like those that the champion learnt from?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from scipy import stats

from touchline.features.catalogue import FEATURES, SEASONAL
from touchline.forecasting.logistic import Floats
from touchline.monitoring.finding import Finding
from touchline.robust import stability_index
from touchline.settings import Settings

METRIC = "feature_drift"
# However often this runs, there is one comparison a week, of the matches until Monday; the level applies to each.
LOOKS_A_YEAR = 52
# Seasonal features (rest days in a winter break, a table after three matches) differ from the year's average in every
# month, and from the same month of last year whenever an international break moves.
COMPARED = tuple(name for name in FEATURES if name not in SEASONAL)
BLOCK = timedelta(days=28)


@dataclass(frozen=True)
class Comparison:
    """One feature: population stability index, Kolmogorov-Smirnov distance, and its adjusted p-value."""

    feature: str
    psi: float
    distance: float
    p_adjusted: float


def window_end(as_of: datetime) -> datetime:
    """Midnight (UTC) at which the last Monday began, so that all runs of a week see the same window."""
    monday = as_of - timedelta(days=as_of.weekday())
    return monday.replace(hour=0, minute=0, second=0, microsecond=0)


def feature_drift(
    reference: pd.DataFrame, current: pd.DataFrame, settings: Settings, false_alarms_a_year: float
) -> list[Finding]:
    """A finding for each of the `COMPARED` features in `current`; none while either sample is too small.

    Both frames have one row per match: home_team, kickoff_at (UTC) and the features (float, NaN when unknown).
    `reference` is what the champion learnt from, `current` what predictions were made from. A feature drifts when its
    stability index is above `settings.drift.psi` and the difference is significant.
    """
    if min(len(reference), len(current)) < settings.drift.fewest_matches:
        return []
    level = false_alarms_a_year / LOOKS_A_YEAR
    return [
        Finding(
            METRIC, each.feature, each.psi, settings.drift.psi, len(current),
            each.psi > settings.drift.psi and each.p_adjusted < level,
            {
                "ks_distance": each.distance, "p_adjusted": each.p_adjusted, "level": level,
                "n_reference": len(reference),
            },
        )
        for each in compare(reference, current, [name for name in COMPARED if name in current])
    ]  # fmt: skip


def compare(reference: pd.DataFrame, current: pd.DataFrame, features: Sequence[str]) -> list[Comparison]:
    """Both measures of each feature, in the order given.

    P-values are adjusted over the features by Benjamini & Yekutieli (2001), because features depend on each other
    in ways that Benjamini & Hochberg's procedure does not allow for (one side's goals for are the other's goals
    against). A team's matches within four weeks share most of their form, so they count as one observation.
    """
    n = _n_blocks(reference) * _n_blocks(current) / (_n_blocks(reference) + _n_blocks(current))
    distances, indices = [], []
    for feature in features:
        before, now = (_known_or_lowest(frame, feature) for frame in (reference, current))
        distances.append(float(stats.ks_2samp(before, now, method="asymp").statistic))
        indices.append(stability_index(before, now))
    p_values = stats.kstwobign.sf(np.sqrt(n) * np.array(distances))
    adjusted = stats.false_discovery_control(p_values, method="by")
    return [
        Comparison(feature, psi, distance, float(p))
        for feature, psi, distance, p in zip(features, indices, distances, adjusted, strict=True)
    ]


def _known_or_lowest(frame: pd.DataFrame, feature: str) -> Floats:
    """Values with -inf for unknown, so that a feature that goes missing counts as a difference."""
    values = frame[feature].to_numpy(dtype=np.float64)
    return np.where(np.isnan(values), -np.inf, values)


def _n_blocks(frame: pd.DataFrame) -> int:
    """Pairs of home team and four weeks, counted back from the last match."""
    block = (frame["kickoff_at"].max() - frame["kickoff_at"]) // BLOCK
    return int(pd.DataFrame({"team": frame["home_team"], "block": block}).drop_duplicates().shape[0])
