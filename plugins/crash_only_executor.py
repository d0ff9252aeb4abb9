"""An executor that does not wait for the dead.

Workers of the LocalExecutor share one queue. One that is killed at work takes its task with it, which stays as it was
until a time-out; one that is killed while it waits holds the queue's lock, and no task starts any more. Neither mends
itself, so the scheduler ends; its supervisor starts it again, and it takes up at once what was lost.
"""

from __future__ import annotations

import os

from airflow.executors.local_executor import LocalExecutor

LOST_A_WORKER = 70


class CrashOnlyExecutor(LocalExecutor):
    """The LocalExecutor, whose scheduler ends with a worker that ended otherwise than told."""

    def sync(self) -> None:
        """Look for the dead before anything else."""
        for pid, worker in self.workers.items():
            if worker.exitcode not in (None, 0):
                self.log.error("worker %s ended with %s: the scheduler starts again", pid, worker.exitcode)
                # Neither running tasks nor the lock can be waited for.
                os._exit(LOST_A_WORKER)
        super().sync()
