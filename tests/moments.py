"""Moments at which a test strikes: a command has come so far, a step is at work."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from touchline.database.engine import connect, open_url, scalar
from touchline.operations import status
from touchline.settings import Settings
from touchline.supervision.programs import read_life

STEP_SECONDS = 600


def wait_until(condition: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    """Wait until a condition holds, which it must before the command ends and within ten minutes."""
    deadline = time.monotonic() + STEP_SECONDS
    while not condition():
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline, "it never came to this"
        time.sleep(0.05)


def is_running(settings: Settings, step: str) -> bool:
    """Whether a step of the pipeline is at work."""
    # Before there is a scheduler nothing is there, perhaps not even the database.
    if read_life(settings.home, status.SCHEDULER) is None or not has_database(settings):
        return False
    with connect(settings, "ingest") as connection:
        if scalar(connection, "select to_regclass('ops.pipeline_run')") is None:
            return False
        query = "select count(*) from ops.pipeline_run where step = %s and status = 'running'"
        return bool(scalar(connection, query, (step,)))


def has_database(settings: Settings) -> bool:
    with open_url(settings.admin_url) as connection:
        query = "select 1 from pg_database where datname = %s"
        return scalar(connection, query, (settings.warehouse_database,)) is not None


def task_process(settings: Settings, task_id: str) -> int:
    """The process that runs a task, by its number."""
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
        query = "select pid from task_instance where task_id = %s and state = 'running'"
        return int(scalar(connection, query, (task_id,)))
