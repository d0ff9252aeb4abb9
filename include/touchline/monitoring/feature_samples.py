"""Two samples of features: what the champion learnt from, and what its predictions were made from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from touchline.database.engine import Connection, rows
from touchline.monitoring.feature_drift import COMPARED, window_end
from touchline.registry.models import TrainedVersion
from touchline.settings import Settings

A_YEAR = timedelta(days=365)

# One row per match: the champion's last prediction, with the features it was made from.
USED = """
select distinct on (match_id) competition, home_team, kickoff_at, model_version, features
from ledger.prediction
where role = 'champion' and model_name = %(model_name)s and predicted_at <= %(as_of)s
    and predicted_at >= coalesce(%(since)s, '-infinity'::timestamptz)
    and kickoff_at > %(kickoff_after)s and kickoff_at <= %(kickoff_until)s
order by match_id, predicted_at desc, prediction_id desc
"""
LEARNT = """
select match.home_team, features.kickoff_at, {columns}
from features.match_features as features
inner join core.match as match using (match_id)
where features.is_played and features.competition = any(%(competitions)s)
    and features.kickoff_at > %(kickoff_after)s and features.kickoff_at <= %(kickoff_until)s
"""


@dataclass(frozen=True)
class Samples:
    """Frames of one row per match: home_team, kickoff_at (UTC) and the features to compare (float, NaN if unknown)."""

    reference: pd.DataFrame
    current: pd.DataFrame


def feature_samples(
    connection: Connection, settings: Settings, as_of: datetime, since: datetime | None,
    trained: Collection[TrainedVersion],
) -> Samples | None:  # fmt: skip
    """The two samples to compare, or None.

    `current`: predictions made at or after `since`, of kick-offs in the `settings.drift.window_days` until last Monday.
    `reference`: the last year before these that the champion learnt from, in the same competitions, because
    competitions differ. None when too few matches were predicted, or the champion is not among the `trained` versions.
    """
    until = window_end(as_of)
    used = rows(
        connection, USED,
        {
            "model_name": settings.model_name, "as_of": as_of, "since": since,
            "kickoff_after": until - timedelta(days=settings.drift.window_days), "kickoff_until": until,
        },
    )  # fmt: skip
    if len(used) < settings.drift.fewest_matches:
        return None
    champion = max(used, key=lambda row: row["kickoff_at"])["model_version"]
    trained_until = next((each.trained_until for each in trained if each.version == champion), None)
    # A feature that is new in the catalogue does not count as unknown in earlier predictions, which did not use it.
    features = [name for name in COMPARED if all(name in row["features"] for row in used)]
    if trained_until is None or not features:
        return None
    learnt_until = min(trained_until, min(row["kickoff_at"] for row in used) - timedelta(microseconds=1))
    learnt = rows(
        connection,
        LEARNT.format(columns=", ".join(f"features.{name}" for name in features)),
        {
            "competitions": sorted({row["competition"] for row in used}), "kickoff_after": learnt_until - A_YEAR,
            "kickoff_until": learnt_until,
        },
    )  # fmt: skip
    return Samples(_frame(learnt, features), _frame([{**row["features"], **row} for row in used], features))


def _frame(found: list[dict[str, object]], features: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(found, columns=["home_team", "kickoff_at", *features])
    frame["kickoff_at"] = pd.to_datetime(frame["kickoff_at"], utc=True)
    return frame.astype(dict.fromkeys(features, "float64"))
