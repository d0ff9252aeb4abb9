"""Live through the hours of a validation: what is due by the clock runs through Airflow, phase after phase."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from touchline.clock import live_clock
from touchline.errors import SourceUnavailable, ValidationImpossible
from touchline.monitoring.late import late_predictions
from touchline.monitoring.shortfalls import find_shortfalls
from touchline.operations.airflow_api import AirflowApi, DagRun, airflow_of, is_only_degraded
from touchline.operations.status import SANDBOX
from touchline.sandbox import read_clock
from touchline.sandbox.faults import Fault, switch_fault
from touchline.staging import disturbances
from touchline.staging.disturbances import Done
from touchline.staging.installation import LOOK_SECONDS, Installation, await_rest
from touchline.staging.load import Readers
from touchline.staging.plants import Plant
from touchline.staging.promises import Mark, mark
from touchline.staging.schedule import read_schedule

Phase = Literal["steady", "load", "faults"]
PHASES: Final[tuple[Phase, ...]] = ("steady", "load", "faults")
# Requests a second.
RATES: Final[dict[Phase, float]] = {"steady": 10.0, "load": 100.0, "faults": 10.0}
# What sources do in the second phase, and in which share of their answers. None of it keeps all facts away for long.
DAMAGE: Final = {
    Fault.INVALID_JSON: 0.1, Fault.MISSING_FIELDS: 0.1, Fault.DUPLICATE_PAGES: 0.3, Fault.REORDERED: 0.3,
    Fault.CORRECTIONS: 0.1, Fault.CUT: 0.05,
}  # fmt: skip
CLOCK_SECONDS: Final = 60.0
SCHEDULED_SECONDS: Final = 120.0

# Told of each moment that is over.
OnMoment = Callable[["Moment"], None]


@dataclass(frozen=True)
class Moment:
    """An instant (UTC) of the clock that was lived through, what was due then, and how each run of it ended.

    `failed` are runs that failed, degraded ones among them, whether they were due or followed from others;
    `unpredicted` are matches within an hour of kick-off without a prediction. `began_at` is time.monotonic.
    """

    at: datetime
    phase: Phase
    due: dict[str, str]
    n_runs: int
    failed: tuple[str, ...]
    unpredicted: tuple[str, ...]
    began_at: float
    seconds: float


@dataclass
class Course:
    """What happened between two instants (UTC) of the clock; `since` is the wall clock's when it began."""

    begins_at: datetime
    ends_at: datetime
    since: datetime
    began_at: float
    moments: list[Moment] = field(default_factory=list)
    disturbances: list[Done] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    n_damaged: int = 0
    shortfalls: tuple[str, ...] = ()
    seconds: float = 0.0

    def phase_of(self, moment: datetime) -> Phase:
        """The third of the course that an instant is in."""
        share = (moment - self.begins_at) / (self.ends_at - self.begins_at)
        return PHASES[min(int(3 * share), 2)]

    def hours_into_phase(self, moment: datetime) -> float:
        """Hours since the phase of an instant began."""
        third = (self.ends_at - self.begins_at) / 3
        begins_at = self.begins_at + PHASES.index(self.phase_of(moment)) * third
        return (moment - begins_at) / timedelta(hours=1)

    @property
    def dag_states(self) -> dict[str, Counter[str]]:
        """How the runs ended that were due, by DAG."""
        found: dict[str, Counter[str]] = {}
        for moment in self.moments:
            for dag_id, state in moment.due.items():
                found.setdefault(dag_id, Counter())[state] += 1
        return found

    def without_sources(self) -> list[Moment]:
        """The moments in which no source answered, and those after them: a circuit is then still open."""
        end = self.began_at + self.seconds
        spans = [
            (each.began_at, each.ended_at or end)
            for each in self.disturbances
            if each.kind == "outage" or each.what == SANDBOX
        ]
        hit = [
            any(
                moment.began_at <= until and since <= moment.began_at + moment.seconds
                for since, until in spans
            )
            for moment in self.moments
        ]
        return [
            moment for place, moment in enumerate(self.moments) if hit[place] or (place and hit[place - 1])
        ]


class Simulated:
    """The simulated world's clock, which moves when all is done; what is due is triggered by hand."""

    def begin(self, installation: Installation) -> datetime:
        """Run the pipeline once; returns the present (UTC). Raises ServiceFailed when nothing starts."""
        installation.must("run")
        return read_clock(installation.settings.sandbox_address)

    def reach(
        self, installation: Installation, api: AirflowApi, moment: datetime, due: Sequence[str]
    ) -> Mapping[str, DagRun | None]:
        """Have it be an instant (UTC), and start the DAGs that are due then; returns their runs.

        The simulated world may have been killed a moment ago.
        """
        until = time.monotonic() + CLOCK_SECONDS
        while not _is_moved(installation, moment, is_last=time.monotonic() > until):
            time.sleep(LOOK_SECONDS)
        return {dag_id: api.trigger(dag_id, {"as_of": moment.isoformat()}) for dag_id in due}


class RealTime:
    """The wall clock; Airflow's scheduler starts what is due, within two minutes."""

    def begin(self, installation: Installation) -> datetime:
        """The present (UTC)."""
        del installation
        return live_clock().as_of

    def reach(
        self, installation: Installation, api: AirflowApi, moment: datetime, due: Sequence[str]
    ) -> Mapping[str, DagRun | None]:
        """Wait for an instant (UTC), and for the runs of the DAGs that are due then; None for one that is not there."""
        del installation
        time.sleep(max(0.0, (moment - live_clock().as_of).total_seconds()))
        until = time.monotonic() + SCHEDULED_SECONDS
        while True:
            found = {dag_id: api.run_due_at(dag_id, moment) for dag_id in due}
            if all(found.values()) or time.monotonic() > until:
                return found
            time.sleep(LOOK_SECONDS)


def play(
    installation: Installation,
    hours: float,
    on_moment: OnMoment,
    clock: Simulated | RealTime,
    plant: Plant | None = None,
) -> tuple[Course, Readers]:
    """Live through so many hours of a clock in three phases; all that follows from an instant is waited for.

    Raises ServiceFailed when the installation cannot be started, or Airflow does not answer, and ValidationImpossible
    when nothing is due in these hours.
    """
    begins_at = clock.begin(installation)
    settings = installation.settings
    readers = Readers(installation.api_address)
    course = Course(begins_at, begins_at + timedelta(hours=hours), live_clock().as_of, time.monotonic())
    with airflow_of(settings) as api, readers.reading():
        schedule = read_schedule(settings, api)
        waiting = deque(disturbances.plan(hours / 3))
        phase: Phase | None = None
        moment, due = schedule.next_after(begins_at)
        while moment <= course.ends_at:
            if phase != (phase := course.phase_of(moment)):
                _enter(installation, course, readers, phase)
            if plant is not None and plant.is_due(len(course.moments)):
                plant.act(installation)
            acts = []
            while phase == "faults" and waiting and waiting[0][0] <= course.hours_into_phase(moment):
                acts.append(waiting.popleft()[1])
            course.moments.append(_live(installation, api, clock, course, moment, due, acts))
            on_moment(course.moments[-1])
            moment, due = schedule.next_after(moment)
        if not course.moments:
            raise ValidationImpossible(f"no DAG is due within {hours:g} hours: validate over more of them")
        course.marks.append(mark(settings))
        course.shortfalls = tuple(map(str, find_shortfalls(settings, course.moments[-1].at)))
    course.seconds = time.monotonic() - course.began_at
    return course, readers


def _enter(installation: Installation, course: Course, readers: Readers, phase: Phase) -> None:
    settings = installation.settings
    if course.moments:
        course.marks.append(mark(settings))
    for fault, rate in DAMAGE.items() if settings.is_simulated else ():
        state = switch_fault(settings.sandbox_address, fault, rate if phase == "load" else 0.0)
        course.n_damaged = max(course.n_damaged, sum(state["hits"].values()))
    readers.enter(phase, RATES[phase])


def _live(
    installation: Installation,
    api: AirflowApi,
    clock: Simulated | RealTime,
    course: Course,
    moment: datetime,
    due: tuple[str, ...],
    acts: list[disturbances.Disturbance],
) -> Moment:
    began, since = time.monotonic(), live_clock().as_of
    runs = clock.reach(installation, api, moment, due)
    for act in acts:
        done = act(installation, api)
        is_end = done.kind == "outage" and done.ended_at is not None
        course.disturbances = (
            list(disturbances.ended(course.disturbances, done)) if is_end else [*course.disturbances, done]
        )
    unfinished = {run.run_id for run in await_rest(api)}
    followed = api.runs_since(since)
    failed = [
        f"{run.dag_id} {'unfinished' if run.run_id in unfinished else _state(api, run)}"
        for run in followed
        if run.state == "failed" or run.run_id in unfinished
    ]
    return Moment(
        moment, course.phase_of(moment),
        {dag_id: "missing" if run is None else _state(api, run) for dag_id, run in runs.items()}, len(followed),
        tuple(failed), tuple(late_predictions(installation.settings, moment)), began, time.monotonic() - began,
    )  # fmt: skip


def _state(api: AirflowApi, run: DagRun) -> str:
    now = api.run(run)
    return "degraded" if _is_degraded(api, now) else now.state


def _is_degraded(api: AirflowApi, run: DagRun) -> bool:
    return run.state == "failed" and is_only_degraded(api.tasks(run))


def _is_moved(installation: Installation, moment: datetime, *, is_last: bool) -> bool:
    try:
        installation.move_clock(moment)
    except SourceUnavailable:
        if is_last:
            raise
        return False
    return True
