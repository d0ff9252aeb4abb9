"""Follow the runs of our DAGs until all have ended, and report each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from touchline.errors import PipelineFailed, ServiceFailed
from touchline.operations import names, status
from touchline.operations.airflow_api import AirflowApi, DagRun, TaskRun, is_only_degraded
from touchline.settings import Settings
from touchline.supervision.programs import tail
from touchline.supervision.supervisor import log_of

# Every look costs Airflow's API server a tenth of a second, a glance at what is active a fourth of that.
POLL_SECONDS = 4.0
GLANCE_SECONDS = 1.0
# Asking whether every process still lives takes longer than asking Airflow.
LIFE_SIGN_SECONDS = 5.0
LOG_TAIL_LINES = 60

Watch = Callable[[Sequence[DagRun], Sequence[TaskRun]], None]


class Follower:
    """Follows everything that has happened since `since` (UTC); `watch` is shown each state of affairs."""

    def __init__(
        self, settings: Settings, api: AirflowApi, since: datetime, timeout_seconds: float, watch: Watch
    ) -> None:
        self._settings = settings
        self._api = api
        self._since = since
        self._timeout_seconds = timeout_seconds
        self._deadline = time.monotonic() + timeout_seconds
        self._watch = watch
        self._next_life_sign = 0.0
        self._degraded: set[DagRun] = set()

    def until_idle(self) -> None:
        """Return when no run is left to start or to finish; a run that is only degraded has done its work.

        A service that dies meanwhile comes back, and the runs with it. Raises PipelineFailed with the failing task's
        log, ServiceFailed when a service is given up, and PipelineFailed when the deadline passes first.
        """
        while True:
            try:
                if self._has_come_to_rest():
                    return
                self._wait()
            except ServiceFailed:
                # The API server may only be the messenger: name the service that is given up, if there is one.
                self._look_for_the_dead()
                raise
            if time.monotonic() > self._next_life_sign:
                self._look_for_the_dead()
            if time.monotonic() > self._deadline:
                unfinished = ", ".join(f"{run.dag_id} ({run.state})" for run in self._api.active_runs())
                raise PipelineFailed(
                    f"not finished after {self._timeout_seconds / 60:.0f} minutes: {unfinished}. The services go on "
                    "with it; the next `make run` follows it again"
                )

    def _wait(self) -> None:
        """Until it is time for another look, or nothing is active any more."""
        next_look = time.monotonic() + POLL_SECONDS
        time.sleep(GLANCE_SECONDS)
        while time.monotonic() < next_look and self._api.active_runs():
            time.sleep(GLANCE_SECONDS)

    def _has_come_to_rest(self) -> bool:
        # Looked at before the runs: one that fails between two looks is then among them. What waits for a person is
        # not waited for.
        active = self._unfinished()
        # An event becomes a run between two looks, so runs are looked for on both sides of the events.
        is_idle = not active and not self._api.n_queued_events() and not self._unfinished()
        runs, tasks = self._api.runs_since(self._since), self._api.tasks_since(self._since)
        # What began earlier and does not move has not changed since: it is what we wait for.
        known = {run.run_id for run in runs}
        stuck = [run for run in active if run.run_id not in known]
        self._watch([*runs, *stuck], [*tasks, *(task for run in stuck for task in self._api.tasks(run))])
        for run in runs:
            if run.state == "failed" and not self._is_only_degraded(run):
                raise PipelineFailed(self._story_of(run))
        return is_idle

    def _unfinished(self) -> list[DagRun]:
        return [run for run in self._api.active_runs() if run.dag_id != names.APPROVE_PROMOTION]

    def _look_for_the_dead(self) -> None:
        self._next_life_sign = time.monotonic() + LIFE_SIGN_SECONDS
        dead = status.status(self._settings).given_up
        if dead:
            log = log_of(self._settings.home, dead[0])
            raise ServiceFailed(
                f"{', '.join(dead)} died while the pipeline was running and could not be started again; the end of "
                f"{log}:\n{tail(log)}\nrun the command again: it finishes the work"
            )

    def _is_only_degraded(self, run: DagRun) -> bool:
        if run not in self._degraded and is_only_degraded(self._api.tasks(run)):
            self._degraded.add(run)
        return run in self._degraded

    def _story_of(self, run: DagRun) -> str:
        failed = [task for task in self._api.tasks(run) if task.state == "failed"]
        if not failed:
            return f"{run.dag_id} failed without a failed task (run {run.run_id}): it took longer than it may"
        task = failed[0]
        lines = "\n".join(self._api.log(task)).splitlines()[-LOG_TAIL_LINES:]
        return (
            f"task {task.task_id} of {task.dag_id} failed at try {task.try_number} (run {task.run_id}). Its log:\n"
            + "\n".join(lines)
        )
