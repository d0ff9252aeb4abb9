"""Drift: run every detector, record each finding once, and raise an alarm for drift that no training has followed.

`settings.drift.false_alarms` is the rate for all four detectors together; each gets a quarter of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from touchline.clock import RunClock
from touchline.database.engine import Connection, connect, rows
from touchline.monitoring import calibration_drift, confident_picks, feature_drift, market_loss
from touchline.monitoring.alarms import Alarms, alarms_of
from touchline.monitoring.feature_samples import feature_samples
from touchline.monitoring.finding import Finding
from touchline.monitoring.sequential import TESTS_A_YEAR
from touchline.monitoring.settled import Settled, settled_predictions
from touchline.registry.models import TrainedVersion, trained_versions
from touchline.registry.tracking import open_registry
from touchline.settings import Settings

METRICS = (feature_drift.METRIC, calibration_drift.METRIC, market_loss.METRIC, confident_picks.METRIC)
# The oldest running test began at most this long ago.
LONGEST_EVIDENCE = timedelta(days=31 * TESTS_A_YEAR)
SHOWN_ALARMS = 5

INSERT = """
insert into ops.drift_metric (run_id, metric, subject, value, threshold, is_drift, as_of, n_matches, detail)
values (%(run_id)s, %(metric)s, %(subject)s, %(value)s, %(threshold)s, %(is_drift)s, %(as_of)s, %(n_matches)s,
    %(detail)s)
on conflict (metric, subject, as_of) do nothing
"""
# The first recorded finding for an instant stands, even if more matches have been settled as of it since.
FOUND = """
select metric, subject, value, threshold, n_matches, is_drift, detail from ops.drift_metric
where as_of = %(as_of)s and n_matches is not null
order by drift_metric_id
"""
FOUND_THIS_WEEK = """
select metric, subject, value, threshold, n_matches, is_drift, detail from ops.drift_metric
where metric = %(metric)s and as_of >= %(monday)s and as_of < %(as_of)s
    and as_of > coalesce(%(since)s, '-infinity'::timestamptz)
order by drift_metric_id
"""


@dataclass(frozen=True)
class DriftReport:
    """What the detectors found as of an instant. `not_judged` names the metrics with too few matches.

    Features are compared once a week; for the rest of the week `findings` repeats that comparison.
    """

    as_of: str
    findings: tuple[Finding, ...]
    not_judged: tuple[str, ...]

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Drift that no training has followed."""
        return tuple(each for each in self.findings if each.is_alarm)

    @property
    def summary(self) -> str:
        """One sentence for a log, and each alarm."""
        n_drift = sum(each.is_drift for each in self.findings)
        text = f"{len(self.findings)} measures of drift as of {self.as_of}: {n_drift} drift, {len(self.alarms)} new."
        if self.not_judged:
            text += f" Too few matches to judge: {', '.join(self.not_judged)}."
        told = [
            f"\n  DRIFT: {each.metric} of {each.subject} is {each.value:.3g}, above {each.threshold:.3g}"
            for each in self.alarms
        ]
        return text + "".join(told[:SHOWN_ALARMS])


def measure_drift(settings: Settings, clock: RunClock, run_id: str) -> DriftReport:
    """Run every detector as of `clock.as_of` and record what they found in ops.drift_metric.

    Each `clock.as_of` is recorded once: a second run reports what the first recorded, and adds what could not be
    judged then. Raises ServiceFailed when MLflow does not answer.
    """
    return judge_drift(settings, clock, run_id, trained_versions(open_registry(settings)))


def judge_drift(
    settings: Settings, clock: RunClock, run_id: str, trained: Collection[TrainedVersion]
) -> DriftReport:
    """As `measure_drift`, for the given trained versions."""
    as_of = clock.as_of
    known = [each for each in trained if each.as_of <= as_of]
    with connect(settings, "model") as connection:
        alarms = alarms_of(connection, settings.model_name, as_of, known)
        standing = _found_this_week(connection, as_of, alarms)
        found = list(_of_outcomes(connection, settings, as_of, alarms))
        if not standing:
            found += _of_features(connection, settings, as_of, alarms, known)
        with connection.cursor() as cursor:
            cursor.executemany(INSERT, [_row(each, as_of, run_id) for each in found])
        found = [Finding(**row) for row in rows(connection, FOUND, {"as_of": as_of})]
    findings = tuple(alarms.mark(each) for each in [*found, *standing])
    judged = {each.metric for each in findings}
    not_judged = tuple(metric for metric in METRICS if metric not in judged)
    return DriftReport(as_of.isoformat(), findings, not_judged)


def _of_outcomes(
    connection: Connection, settings: Settings, as_of: datetime, alarms: Alarms
) -> Iterator[Finding]:
    settled = settled_predictions(connection, settings.model_name, as_of, as_of - LONGEST_EVIDENCE)
    share = settings.drift.false_alarms / len(METRICS)

    def counting(metric: str) -> Settled:
        return settled.predicted_since(alarms.evidence_since(metric))

    for metric, judge in (
        (calibration_drift.METRIC, calibration_drift.calibration_drift),
        (market_loss.METRIC, market_loss.market_loss),
    ):
        finding = judge(counting(metric), settings, as_of, share)
        if finding is not None:
            yield finding
    yield from confident_picks.confident_picks(counting(confident_picks.METRIC), settings, as_of, share)


def _of_features(
    connection: Connection, settings: Settings, as_of: datetime, alarms: Alarms,
    trained: Collection[TrainedVersion],
) -> list[Finding]:  # fmt: skip
    """Compare the features. Needed once a week: the first time after Monday that there are enough matches."""
    since = alarms.evidence_since(feature_drift.METRIC)
    samples = feature_samples(connection, settings, as_of, since, trained)
    if samples is None:
        return []
    share = settings.drift.false_alarms / len(METRICS)
    return feature_drift.feature_drift(samples.reference, samples.current, settings, share)


def _found_this_week(connection: Connection, as_of: datetime, alarms: Alarms) -> list[Finding]:
    """What an earlier run found for this week's window, unless a new champion has restarted the evidence since."""
    given = {
        "metric": feature_drift.METRIC,
        "monday": feature_drift.window_end(as_of),
        "as_of": as_of,
        "since": alarms.evidence_since(feature_drift.METRIC),
    }
    return [Finding(**row) for row in rows(connection, FOUND_THIS_WEEK, given)]


def _row(finding: Finding, as_of: datetime, run_id: str) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "as_of": as_of,
        "metric": finding.metric,
        "subject": finding.subject,
        "value": finding.value,
        "threshold": finding.threshold,
        "is_drift": finding.is_drift,
        "n_matches": finding.n_matches,
        "detail": Jsonb(dict(finding.detail)),
    }
