"""When each DAG is due by the clock: asked of Airflow and of the timetables, so that nothing is planned twice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from croniter import croniter

from touchline.errors import ServiceFailed
from touchline.operations import names
from touchline.operations.airflow_api import AirflowApi
from touchline.operations.matchday import (
    LOOK_EVERY,
    deadline_windows,
    kickoffs_around,
    next_collection,
    next_planned,
)
from touchline.settings import Settings
from touchline.sources.source import KINDS

# The end of what Airflow says of a timetable, with or without assets beside it.
CRON: Final = re.compile(r"((?:\S+ ){4}\S+)$")
# By their timetables (plugins/matchday_timetable.py); the others follow assets, or a cron expression.
BY_KICKOFF: Final = (*(f"collect_{kind}" for kind in KINDS), names.WATCH_KICKOFFS)
BY_CRON: Final = (
    names.BACK_UP, names.KEEP_HOUSE, names.TRAIN_MODELS, names.TUNE_MODELS, names.REPORT_MODELS, names.CHECK_BACKUP,
)  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """The DAGs that the clock starts; `crons` are their cron expressions (UTC) by DAG."""

    settings: Settings
    crons: Mapping[str, str]

    def next_after(self, moment: datetime) -> tuple[datetime, tuple[str, ...]]:
        """The first instant (UTC) after another at which a DAG is due, and the DAGs that are due then."""
        found = self._all_after(moment)
        first = min(found.values())
        return first, tuple(dag_id for dag_id in names.DAGS if found.get(dag_id) == first)

    def between(self, after: datetime, until: datetime) -> list[tuple[datetime, str]]:
        """What is due later than an instant, and not later than another (UTC)."""
        found = []
        while (due := self.next_after(after))[0] <= until:
            after = due[0]
            found += [(after, dag_id) for dag_id in due[1]]
        return found

    def _all_after(self, moment: datetime) -> dict[str, datetime]:
        looks = deadline_windows(kickoffs_around(self.settings, moment))
        return {
            **{f"collect_{kind}": next_planned(self.settings, kind, moment) for kind in KINDS},
            names.WATCH_KICKOFFS: next_collection(moment, looks, LOOK_EVERY),
            **{
                dag_id: croniter(cron, moment.astimezone(UTC)).get_next(datetime)
                for dag_id, cron in self.crons.items()
            },
        }


def read_schedule(settings: Settings, api: AirflowApi, dag_ids: Sequence[str] = BY_CRON) -> Schedule:
    """The schedule that is in force. Raises ServiceFailed for a DAG whose timetable has no cron expression."""
    crons = {}
    for dag_id, told in api.timetables().items():
        if dag_id in dag_ids:
            found = CRON.search(told)
            if found is None or not croniter.is_valid(found[1]):
                raise ServiceFailed(
                    f"Airflow's timetable of {dag_id} says {told!r}, which has no cron expression"
                )
            crons[dag_id] = found[1]
    if missing := sorted(set(dag_ids) - set(crons)):
        raise ServiceFailed(
            f"Airflow does not know {', '.join(missing)}: see the log of airflow-dag-processor"
        )
    return Schedule(settings, crons)
