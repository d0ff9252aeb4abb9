"""What becomes of a failed task, by its cause."""

from __future__ import annotations

import psycopg
import pytest
import sqlalchemy.exc
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowTaskTimeout

from touchline.errors import (
    DayNotOver,
    FeaturesUnavailable,
    PayloadRejected,
    PipelineDegraded,
    QualityGateFailed,
    ServiceFailed,
    SettingsInvalid,
    SourceUnavailable,
)
from touchline_retries import RetryByCause


def becomes(error: BaseException, try_number: int = 1) -> RetryAction:
    return RetryByCause().evaluate(error, try_number, max_tries=10).action


@pytest.mark.parametrize(
    "error",
    [
        QualityGateFailed("odds below 1"), PipelineDegraded("E0 is held"), SettingsInvalid("no date"),
        DayNotOver("ends tomorrow"), PayloadRejected("games: the column HomeTeam is gone"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_another_try_would_find_again_is_not_tried_again_and_says_why(error: Exception):
    decision = RetryByCause().evaluate(error, 1, max_tries=10)
    assert decision.action is RetryAction.FAIL
    assert type(error).__name__ in str(decision.reason)


@pytest.mark.parametrize("error", [SourceUnavailable("answered 503"), AirflowTaskTimeout()])
def test_an_error_of_the_task_s_own_is_tried_three_times(error: BaseException):
    assert [becomes(error, number) for number in (1, 2, 3)] == [
        RetryAction.DEFAULT, RetryAction.DEFAULT, RetryAction.FAIL
    ]  # fmt: skip


def test_a_task_whose_service_goes_away_is_tried_more_often():
    of_another = FeaturesUnavailable("nothing answers")
    of_another.__cause__ = psycopg.errors.AdminShutdown("terminating connection")
    of_gate = sqlalchemy.exc.OperationalError(
        "select 1", {}, Exception("the database system is shutting down")
    )
    for error in (
        ServiceFailed("MLflow does not answer"),
        psycopg.OperationalError("closed"),
        of_another,
        of_gate,
    ):
        assert becomes(error, 9) is RetryAction.DEFAULT
