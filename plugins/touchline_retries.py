"""Whether a failed task is tried again follows from what went wrong."""

from __future__ import annotations

from typing import Any

import psycopg
import requests
import sqlalchemy.exc
from airflow.sdk import RetryDecision, RetryPolicy

from touchline.errors import (
    CodeDiffers,
    DatabaseUnavailable,
    DayNotOver,
    PayloadRejected,
    PipelineDegraded,
    QualityGateFailed,
    ServiceFailed,
    SettingsInvalid,
    WarehouseBuildFailed,
)

# A second try would find the same: rows, a body of another form, a setting, a day that is not over.
NOT_WORTH_A_RETRY = (
    DayNotOver,
    PayloadRejected,
    PipelineDegraded,
    QualityGateFailed,
    SettingsInvalid,
    WarehouseBuildFailed,
)
# An error of the task's own that comes a third time will come a fourth time.
TRIES = 3
# A task that was killed, whose database or MLflow went away, or that met an outdated machine, has done nothing wrong.
LOST = (
    psycopg.OperationalError, psycopg.InterfaceError, sqlalchemy.exc.OperationalError, requests.ConnectionError,
    CodeDiffers, DatabaseUnavailable, ServiceFailed,
)  # fmt: skip


class RetryByCause(RetryPolicy):
    """At once no more where somebody has to look; as often as `retries` allows where a service was lost; else thrice.

    A task that was killed asks nobody: the scheduler tries it as often as `retries` allows.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        """What is to become of a task that failed with `exception` at its `try_number` (from 1)."""
        if isinstance(exception, NOT_WORTH_A_RETRY):
            return RetryDecision.fail(f"{type(exception).__name__}: another try would find the same")
        if not _is_lost(exception) and try_number >= TRIES:
            return RetryDecision.fail(f"{type(exception).__name__} came {try_number} times")
        return RetryDecision.default()


def _is_lost(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, is the loss of a service."""
    while error is not None:
        if isinstance(error, LOST):
            return True
        error = error.__cause__ or error.__context__
    return False
