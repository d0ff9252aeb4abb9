"""Decide which evidence still counts after an alarm.

An alarm is repeated until a training follows it. Its evidence counts until a champion from a later training predicts.
A training started by an alarm has the alarm's own `as_of` and counts as later. A training that finds nothing new to
learn confirms an existing version: it follows the alarm, but starts no new evidence.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from touchline.database.engine import Connection, rows
from touchline.monitoring.finding import Finding
from touchline.registry.models import TrainedVersion

ALARMS = """
select metric, subject, as_of from ops.drift_metric
where is_drift and as_of < %(as_of)s
order by as_of
"""
FIRST_SPOKEN = """
select model_version, min(predicted_at) as predicted_at from ledger.prediction
where role = 'champion' and model_name = %(model_name)s and predicted_at <= %(as_of)s
group by model_version
"""


@dataclass(frozen=True)
class Alarm:
    """A row of ops.drift_metric that said drift."""

    metric: str
    subject: str
    as_of: datetime


@dataclass(frozen=True)
class Champion:
    """A version that has predicted as champion: when it was trained, and when it first predicted (both UTC)."""

    trained_at: datetime
    spoke_at: datetime


@dataclass(frozen=True)
class Alarms:
    """Earlier alarms in time order, all champions so far, and when versions were trained (UTC)."""

    alarms: tuple[Alarm, ...] = ()
    champions: tuple[Champion, ...] = ()
    trained_at: tuple[datetime, ...] = ()

    def evidence_since(self, metric: str) -> datetime | None:
        """Predictions made at this instant or later are evidence; None when all are.

        Evidence restarts with the first prediction of a champion that was trained after an alarm, and not with every
        later champion: with nightly trainings it would never accumulate.
        """
        since: datetime | None = None
        for alarm in self.alarms:
            if alarm.metric != metric or (since is not None and alarm.as_of <= since):
                continue
            answers = [each.spoke_at for each in self.champions if each.trained_at >= alarm.as_of]
            since = min(answers, default=since)
        return since

    def mark(self, finding: Finding) -> Finding:
        """The finding, marked as told if a training has followed an alarm on the same evidence.

        Until then the alarm is raised on every run, because the training it should start may have been killed.
        """
        since = self.evidence_since(finding.metric)
        raised = [
            alarm.as_of
            for alarm in self.alarms
            if (alarm.metric, alarm.subject) == (finding.metric, finding.subject)
            and (since is None or alarm.as_of > since)
        ]
        is_told = bool(raised) and any(trained_at >= raised[0] for trained_at in self.trained_at)
        return replace(finding, is_told=is_told)


def alarms_of(
    connection: Connection, model_name: str, as_of: datetime, trained: Collection[TrainedVersion]
) -> Alarms:
    """Alarms raised before `as_of`, and the champions of the ledger that are among the `trained` versions."""
    found = tuple(Alarm(**row) for row in rows(connection, ALARMS, {"as_of": as_of}))
    # Without alarms there is no need to read the whole ledger.
    if not found:
        return Alarms()
    spoken = {
        row["model_version"]: row["predicted_at"]
        for row in rows(connection, FIRST_SPOKEN, {"model_name": model_name, "as_of": as_of})
    }
    champions = tuple(
        Champion(each.as_of, spoken[each.version]) for each in trained if each.version in spoken
    )
    return Alarms(found, champions, tuple(_trained_at(each, as_of) for each in trained))


def _trained_at(version: TrainedVersion, as_of: datetime) -> datetime:
    """The last training known at `as_of` that made this version, or confirmed it for lack of new data."""
    confirmed = version.confirmed_as_of
    return version.as_of if confirmed is None or confirmed > as_of else confirmed
