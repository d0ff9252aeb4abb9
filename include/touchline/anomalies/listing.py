"""Findings as they stand in ops.anomaly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from touchline.database.engine import connect, rows
from touchline.errors import AnomalyUnknown
from touchline.settings import Settings

LIST = """
select anomaly_id, detector, subject_kind, subject, competition, season, match_id::text as match_id, what, place,
    observed, expected, score, compared_with, what_to_do, severity, as_of, run_id
from ops.anomaly
where as_of <= %(as_of)s
    and (%(since)s::timestamptz is null or as_of > %(since)s)
    and (%(detector)s::text is null or detector = %(detector)s)
    and (%(competition)s::text is null or competition = %(competition)s)
    and (%(anomaly_id)s::bigint is null or anomaly_id = %(anomaly_id)s)
order by as_of desc, score desc, anomaly_id
limit %(limit)s
"""


@dataclass(frozen=True)
class Anomaly:
    """One finding; times are UTC, `score` says how unusual it is in the unit of its detector (docs/anomalies.md)."""

    anomaly_id: int
    detector: str
    subject_kind: str
    subject: str
    competition: str | None
    season: str | None
    match_id: str | None
    what: str
    place: str
    observed: float | None
    expected: float | None
    score: float
    compared_with: str
    what_to_do: str
    severity: str
    as_of: datetime
    run_id: str


def list_anomalies(
    settings: Settings, as_of: datetime, since: datetime | None = None, detector: str | None = None,
    competition: str | None = None, limit: int = 50, anomaly_id: int | None = None,
) -> list[Anomaly]:  # fmt: skip
    """Findings of searches that ended after `since` and by `as_of`, the newest and most unusual first."""
    given = {
        "as_of": as_of, "since": since, "detector": detector, "competition": competition, "limit": limit,
        "anomaly_id": anomaly_id,
    }  # fmt: skip
    with connect(settings, "transform") as connection:
        return [Anomaly(**row) for row in rows(connection, LIST, given)]


def show_anomaly(settings: Settings, as_of: datetime, anomaly_id: int) -> Anomaly:
    """One finding by its number. Raises AnomalyUnknown."""
    found = list_anomalies(settings, as_of, anomaly_id=anomaly_id)
    if not found:
        raise AnomalyUnknown(
            f"no anomaly {anomaly_id} as of {as_of.isoformat()}: see `touchline anomalies list`"
        )
    return found[0]
