"""A person's word on a version that passed the gate, as a required action in Airflow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from touchline.operations import names
from touchline.operations.approvals import APPROVE_TASK, subject_of
from touchline.operations.notices import Notice, open_notice
from touchline.operations.steps import promoting
from touchline.settings import read_settings
from touchline_alerts import link_to, send
from touchline_assets import WHEN_NEW
from touchline_limits import limits_of
from touchline_tasks import run_step

ANSWER_WITHIN = timedelta(days=7)
VERSION = "version"


class ApprovePromotion(ApprovalOperator):
    """Ask about the version that waits, once; skipped when none waits or somebody was asked already."""

    def execute(self, context: Any) -> Any:
        """Ask, tell that somebody is asked, and wait without a worker."""
        from touchline.registry.approval import note_asked, question, waiting_candidate
        from touchline.registry.tracking import open_registry

        settings, run, instance = read_settings(), context["dag_run"], context["ti"]
        registry = open_registry(settings)
        found = waiting_candidate(registry)
        if found is None or (found.was_asked and instance.try_number == 1):
            raise AirflowSkipException("no version waits for approval that nobody was asked about")
        instance.xcom_push(VERSION, found.version)
        self.subject = subject_of(settings.model_name, found.version)
        self.body = question(registry, found.version)
        note_asked(registry, found.version)
        link = f"{link_to(run.dag_id, run.run_id, self.task_id)}/required_actions"
        notice = Notice(
            run.dag_id, self.task_id, run.run_id, f"version {found.version}", self.subject, (),
            f"answer in Airflow within {ANSWER_WITHIN.days} days, or run `touchline models promote {found.version}`",
            link,
        )  # fmt: skip
        open_notice(settings, notice)
        send()
        return super().execute(context)


def ask_and_promote() -> None:
    """The two tasks of an approval."""
    limits = limits_of("promote")
    asked = ApprovePromotion(
        task_id=APPROVE_TASK,
        subject="Promote?",
        defaults=ApprovePromotion.REJECT,
        response_timeout=ANSWER_WITHIN,
        **limits,
    )

    @task(outlets=[WHEN_NEW[names.CHAMPION]], **limits)
    def promote() -> dict[str, Any]:
        version = get_current_context()["ti"].xcom_pull(task_ids=APPROVE_TASK, key=VERSION)
        return run_step(promoting(version))

    asked >> promote()
