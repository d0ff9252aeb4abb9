"""What operators are told, by a real webhook and a real mail server: once a cause, with all that is needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import touchline_alerts
from alert_receivers import MailServer, Webhook, mail_server, webhook
from touchline.database.engine import connect, rows
from touchline.errors import PipelineDegraded, SourceUnavailable
from touchline.operations.airflow_settings import connections
from touchline.operations.notices import NO_ADVICE, advice
from touchline.settings import Notify, Settings
from touchline_alerts import overrun, run_overran, send_what_is_new, task_failed, task_succeeded

pytestmark = pytest.mark.slow

GUIDE = """### Collect odds

**When a task fails**
* `sources`: a setting is wrong.
* `collect`: its log says which address could not be read.
  Source down: nothing to do.
* `announce`: clear the task.

**When `train` fails**: predictions go on. See the log.
"""


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as received:
        yield received


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as taken:
        yield taken


@pytest.fixture
def told(settings: Settings, hook: Webhook, mails: MailServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Both channels are set, as `touchline up` hands them to Airflow."""
    notify = Notify(
        webhook=hook.address, email="ann@example.org, bob@example.org", smtp=f"smtp://127.0.0.1:{mails.port}"
    )
    for name, value in {
        **settings.environment(), **notify.environment(), **connections(notify),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(touchline_alerts, "ANSWER_SECONDS", 1)
    return settings


def context(
    task_id: str = "collect.the_odds_api", run_id: str = "scheduled__1", error: Any = None,
    dag_id: str = "collect_odds", after: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    return {
        "task": SimpleNamespace(upstream_task_ids=set(after)),
        "task_instance": SimpleNamespace(task_id=task_id),
        "dag_run": SimpleNamespace(dag_id=dag_id, run_id=run_id),
        "dag": SimpleNamespace(doc_md=GUIDE),
        "exception": error or SourceUnavailable("the_odds_api: status 503\nodds?region=uk\nodds?region=eu"),
    }


def notices(settings: Settings) -> list[dict[str, Any]]:
    with connect(settings, "api") as connection:
        return rows(connection, "select * from ops.notice order by notice_id")


def test_a_message_has_task_error_sample_what_to_do_and_the_runs_link(
    told: Settings, hook: Webhook, mails: MailServer
):
    task_failed(context())
    send_what_is_new({})
    (text,) = hook.told
    assert text.splitlines() == [
        "*Touchline: collect_odds: collect.the_odds_api*",
        "collect_odds / collect.the_odds_api",
        "SourceUnavailable: the_odds_api: status 503",
        "  odds?region=uk",
        "  odds?region=eu",
        "To do: its log says which address could not be read. Source down: nothing to do.",
        "Run: https://airflow.example/dags/collect_odds/runs/scheduled__1/tasks/collect.the_odds_api",
    ]
    ((recipients, mail),) = mails.mails
    assert recipients == ["ann@example.org", "bob@example.org"]
    assert mail["Subject"] == "Touchline: collect_odds: collect.the_odds_api"
    part = mail.get_body()
    assert part is not None
    for line in text.splitlines()[1:]:
        assert line.strip() in part.get_content()


def test_a_cause_is_told_once_however_often_it_comes_and_anew_after_a_success(told: Settings, hook: Webhook):
    for number in range(3):
        task_failed(context(run_id=f"scheduled__{number}"))
        send_what_is_new({})
    assert len(hook.told) == 1
    (notice,) = notices(told)
    assert (notice["n_times"], notice["closed_at"]) == (3, None)
    task_succeeded(context(task_id="announce"))
    task_succeeded(context())
    assert notices(told)[0]["closed_at"] is not None
    task_failed(context())
    send_what_is_new({})
    assert len(hook.told) == 2


def test_another_kind_of_error_of_the_same_task_is_another_cause(told: Settings, hook: Webhook):
    task_failed(context())
    task_failed(context(error=PipelineDegraded("no source has given odds ever")))
    send_what_is_new({})
    (text,) = hook.told
    assert [line for line in text.splitlines() if line.startswith(("Source", "Pipeline"))] == [
        "SourceUnavailable: the_odds_api: status 503",
        "PipelineDegraded: no source has given odds ever",
    ]


def test_a_source_that_is_down_is_told_once_whatever_it_was_asked_for(told: Settings, hook: Webhook):
    task_failed(context())
    task_failed(context(dag_id="collect_scores"))
    task_failed(
        context(
            "all_collected", error=PipelineDegraded("no source has given odds since 06:00"),
            after=("collect.the_odds_api", "collect.api_football"),
        )
    )  # fmt: skip
    send_what_is_new({})
    assert [(each["dag_id"], each["n_times"]) for each in notices(told)] == [("collect_odds", 3)]
    task_failed(context("collect.api_football"))
    assert [each["task_id"] for each in notices(told)] == ["collect.the_odds_api", "collect.api_football"]


def test_a_verdict_is_told_where_no_source_has_failed(told: Settings, hook: Webhook):
    degraded = PipelineDegraded("no source has given odds since 06:00")
    task_failed(context("all_collected", error=degraded, after=("collect.the_odds_api",)))
    task_failed(context("announce", error=SourceUnavailable("not of the collection"), after=("sources",)))
    assert [each["task_id"] for each in notices(told)] == ["all_collected", "announce"]


def test_a_task_that_was_killed_for_good_is_told_by_itself(told: Settings, hook: Webhook):
    killed = context()
    del killed["exception"]
    task_failed(killed)
    assert "it was killed, or its worker was" in hook.told[0]


@pytest.mark.parametrize("is_silent", [False, True], ids=["answers 500", "hangs"])
def test_a_webhook_that_fails_is_said_in_the_log_fails_nothing_and_is_told_later(
    told: Settings, hook: Webhook, mails: MailServer, caplog: pytest.LogCaptureFixture, is_silent: bool
):
    hook.status = 500
    if is_silent:
        hook.hangs.set()
    task_failed(context())
    with caplog.at_level(logging.ERROR):
        send_what_is_new({})
    (message,) = [each for each in caplog.messages if "an alert was not delivered" in each]
    assert "webhook: " in message
    assert "s3cret" not in message
    assert len(mails.mails) == 1, "the other channel does not suffer"
    hook.status = 200
    hook.hangs.clear()
    send_what_is_new({})
    assert len(hook.told) == 1
    assert len(mails.mails) == 1


def test_while_a_webhook_hangs_no_task_waits_for_it(
    told: Settings, hook: Webhook, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(touchline_alerts, "ANSWER_SECONDS", 300)
    hook.hangs.set()
    task_failed(context())
    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(send_what_is_new, {})
        hook.is_asked.wait()
        task_failed(context(run_id="scheduled__2"))
        task_succeeded(context(run_id="scheduled__3"))
        assert not sent.done(), "both were written while the webhook hung"
        hook.released.set()
        sent.result()
    (notice,) = notices(told)
    assert (notice["n_times"], notice["closed_at"] is None) == (2, False)


def test_a_run_that_overruns_is_told_by_the_triggerer_until_a_later_run_gets_on(
    told: Settings, hook: Webhook
):
    callback = overrun(timedelta(minutes=45)).callback
    assert callback.path == "touchline_alerts.run_overran"
    run = {"dag_run": {"dag_id": "train_models", "dag_run_id": "scheduled__7", "state": "running"}}
    asyncio.run(run_overran(**callback.kwargs, context=run))
    (text,) = hook.told
    assert "the run scheduled__7 has not ended 45 minutes after it was queued" in text
    assert "https://airflow.example/dags/train_models/runs/scheduled__7" in text
    late = context(task_id="train", run_id="scheduled__7")
    late["dag_run"].dag_id = "train_models"
    task_succeeded(late)
    assert notices(told)[0]["closed_at"] is None, "its own tasks end one after another"
    late["dag_run"].run_id = "scheduled__8"
    task_succeeded(late)
    assert notices(told)[0]["closed_at"] is not None


def test_of_a_run_that_has_failed_no_overrun_is_told(told: Settings, hook: Webhook):
    run = {"dag_run": {"dag_id": "train_models", "dag_run_id": "scheduled__7", "state": "failed"}}
    asyncio.run(run_overran(45.0, context=run))
    assert (hook.told, notices(told)) == ([], [])


def test_where_nobody_is_to_be_told_failures_are_only_recorded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    task_failed(context())
    send_what_is_new({})
    assert [notice["told_by"] for notice in notices(settings)] == [[]]
    assert caplog.messages == []


def test_what_to_do_is_what_the_dag_says_of_the_task():
    assert advice(GUIDE, "announce") == "clear the task."
    assert advice(GUIDE, "train") == "predictions go on. See the log."
    assert advice(GUIDE, "unheard_of") == NO_ADVICE
