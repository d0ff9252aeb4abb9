"""Who is told when something is wrong: callbacks of tasks, runs and deadlines, and the channels they send through.

A task only records what happened (`touchline.operations.notices`). What is new is sent when the run has failed, by the
DAG processor, or when a deadline has passed, by the triggerer: a webhook that hangs keeps no task and no run waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference, conf

from touchline.operations import names
from touchline.operations.airflow_settings import ANSWER_SECONDS, MAIL, WEBHOOK
from touchline.operations.notices import (
    Channel,
    Message,
    Notice,
    close_notices,
    notice_of,
    open_notice,
    send_notices,
)
from touchline.settings import Notify, read_settings

log = logging.getLogger(__name__)

OVERRUN = "Overrun"
UNENDED = ("queued", "running")


def task_failed(context: Any) -> None:
    """Record the failure of a task for good; `on_failure_callback` of every task."""
    task, run = context["task_instance"], context["dag_run"]
    link = link_to(run.dag_id, run.run_id, task.task_id)
    # A verdict on a collection says again what the collection of a source has said.
    follows = tuple(
        each for each in context["task"].upstream_task_ids if each.startswith(f"{names.COLLECT_GROUP}.")
    )
    notice = notice_of(
        run.dag_id, task.task_id, run.run_id, context.get("exception"), context["dag"].doc_md, link, follows
    )
    open_notice(read_settings(), notice)
    # Of a task that was killed the DAG processor tells, perhaps after it has told of the run.
    if "exception" not in context:
        send()


def task_succeeded(context: Any) -> None:
    """What the task failed with before is over; `on_success_callback` of every task."""
    task, run = context["task_instance"], context["dag_run"]
    close_notices(read_settings(), run.dag_id, task.task_id, run.run_id)


def send_what_is_new(context: Any) -> None:
    """Send what nobody was told yet; the DAG processor calls it when a run has failed, and after each of one DAG."""
    del context
    send()


def send() -> None:
    """Send what nobody was told yet, through every channel that is set. A channel that fails is named in the log."""
    settings = read_settings()
    for problem in send_notices(settings, channels(settings.notify)):
        log.error("an alert was not delivered: %s", problem)


def overrun(after: timedelta) -> DeadlineAlert:
    """The alert of a DAG whose run has not ended so long after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=after,
        callback=AsyncCallback(run_overran, {"minutes": after / timedelta(minutes=1)}),
    )


async def run_overran(minutes: float, context: Mapping[str, Any]) -> None:
    """Tell that a run takes longer than it may, if it has not ended; called by the triggerer."""
    run = context["dag_run"]
    # Airflow keeps the deadline of a run that has failed; that was told already.
    if run["state"] not in UNENDED:
        return
    notice = Notice(
        run["dag_id"], "", run["dag_run_id"], OVERRUN,
        f"the run {run['dag_run_id']} has not ended {minutes:.0f} minutes after it was queued", (),
        "see which of its tasks runs or waits; `touchline doctor` says what stands still",
        link_to(run["dag_id"], run["dag_run_id"]),
    )  # fmt: skip

    def tell() -> None:
        open_notice(read_settings(), notice)
        send()

    # Other triggers share the triggerer's loop.
    await asyncio.to_thread(tell)


def channels(notify: Notify) -> dict[str, Channel]:
    """What is set to be told, by name."""
    found: dict[str, Channel] = {}
    if notify.webhook_address is not None:
        found["webhook"] = _send_to_webhook
    if notify.smtp_address is not None:
        found["email"] = lambda message: _send_mail(notify, message)
    return found


def link_to(dag_id: str, run_id: str, task_id: str = "") -> str:
    """The address of a run, or of a task of it, in Airflow."""
    address = f"{conf.get('api', 'base_url').rstrip('/')}/dags/{dag_id}/runs/{quote(run_id, safe='')}"
    return f"{address}/tasks/{quote(task_id, safe='')}" if task_id else address


def _send_to_webhook(message: Message) -> None:
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    hook = SlackWebhookHook(slack_webhook_conn_id=WEBHOOK, timeout=ANSWER_SECONDS, retry_handlers=[])
    hook.send_text(f"*{message.subject}*\n{message.text}", unfurl_links=False)


def _send_mail(notify: Notify, message: Message) -> None:
    from html import escape

    from airflow.providers.smtp.hooks.smtp import SmtpHook

    with SmtpHook(smtp_conn_id=MAIL) as server:
        server.send_email_smtp(
            to=notify.email or "",
            from_email=notify.sender,
            subject=message.subject,
            html_content=f"<pre>{escape(message.text)}</pre>",
        )
