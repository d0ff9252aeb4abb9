"""An executor that does not wait for the dead.

Workers of the LocalExecutor share one queue. One that is killed at work takes its task with it, which stays as it was
until a time-out; one that is killed while it waits holds the queue's lock, and no task starts any more. Neither mends
itself, so the scheduler ends; its supervisor starts it again, and it takes up at once what was lost.
"""

from __future__ import annotations

import multiprocessing
import os

from airflow.executors.local_executor import LocalExecutor
from airflow.jobs.job import Job, JobState
from airflow.utils.net import get_hostname
from airflow.utils.session import create_session
from sqlalchemy import update

LOST_A_WORKER = 70
# So often does the scheduler look for work when nothing happens.
LOOK_SECONDS = 0.3


class CrashOnlyExecutor(LocalExecutor):
    """The LocalExecutor, whose scheduler ends with a worker that ended otherwise than told."""

    def start(self) -> None:
        """Load what workers are forked with, and declare the schedulers dead that ran on this machine before."""
        super().start()
        # In the middle of the loop it would stop the scheduler's heart for seconds.
        first = multiprocessing.Process(target=int)
        first.start()
        first.join()
        # The supervisor has ended them with all that they started; their tasks need not wait until they are missed.
        before = (
            Job.job_type == "SchedulerJob",
            Job.state == JobState.RUNNING,
            Job.hostname == get_hostname(),
        )
        with create_session() as session:
            session.execute(update(Job).where(*before, Job.id != self.job_id).values(state=JobState.FAILED))

    def sync(self) -> None:
        """Look for the dead before anything else, then wait for a task to begin or to end.

        The scheduler's own sleep between two looks does not notice that a task has ended, for which the next one waits.
        """
        for pid, worker in self.workers.items():
            if worker.exitcode not in (None, 0):
                self.log.error("worker %s ended with %s: the scheduler starts again", pid, worker.exitcode)
                # Neither running tasks nor the lock can be waited for.
                os._exit(LOST_A_WORKER)
        self.result_queue._reader.poll(LOOK_SECONDS)  # type: ignore[attr-defined]
        super().sync()
