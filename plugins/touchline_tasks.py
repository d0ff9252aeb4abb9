"""How a step of the pipeline becomes an Airflow task: defaults, clock, asset events."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.openlineage import conf as openlineage
from airflow.sdk import CronTriggerTimetable, Param, XComArg, get_current_context, task

from deployed_code import refuse_other_code
from touchline.clock import parse_as_of
from touchline.openlineage import datasets
from touchline.operations import names
from touchline.operations.pipeline import Step, StepOutcome
from touchline.operations.steps import STEPS
from touchline.settings import Settings, read_settings
from touchline_alerts import overrun, send_what_is_new, task_failed, task_succeeded
from touchline_assets import ASSETS, WHEN_NEW
from touchline_limits import limits_of
from touchline_retries import RetryByCause
from touchline_runs import run_in_its_run, tell_what_is_new

TASK_DEFAULTS = {
    "owner": names.OWNER,
    "retries": 10,
    "retry_policy": RetryByCause(),
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "pool": names.DATABASE_POOL,
    # A task's own weight counts, not those of all that come after it.
    "weight_rule": "absolute",
    "on_failure_callback": task_failed,
    "on_success_callback": task_succeeded,
}
# Training takes every core there is.
TRAINING = {"pool": names.TRAINING_POOL}
DAG_DEFAULTS = {
    "catchup": False,
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(hours=3),
    "deadline": overrun(timedelta(hours=1)),
    "on_failure_callback": send_what_is_new,
    "default_args": TASK_DEFAULTS,
    "params": {
        "as_of": Param(None, type=["null", "string"], description="run as if this were now (UTC, ISO 8601)"),
        "announce": Param(True, type="boolean", description="let the DAGs that wait for this one start"),
    },
}

# Where there is much to learn from, a night's training may take hours.
TRAINING_DAG_DEFAULTS = {**DAG_DEFAULTS, "deadline": overrun(timedelta(hours=2, minutes=30))}
# Waits for a person for a week, and asks about several versions side by side.
APPROVAL_DAG_DEFAULTS = {
    **DAG_DEFAULTS,
    "max_active_runs": 8,
    "dagrun_timeout": timedelta(days=8),
    "deadline": None,
}


def cron(expression: str) -> CronTriggerTimetable:
    """Times of day or week (UTC), from the next one on.

    Left to itself, Airflow begins with the last one when that is not long past, and a new installation would train
    before it has collected anything.
    """
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(0))


def step(name: str, as_of: XComArg | None = None, **options: Any) -> XComArg:
    """The task of a step of the table: its name, its assets as outlets, `as_of` of the task before if it has one."""
    row = STEPS[name]

    outlets = [WHEN_NEW[asset] for asset in row.publishes]

    @task(**{"task_id": name, "doc_md": row.does, "outlets": outlets, **limits_of(name), **options})
    def run(as_of: str | None = None) -> dict[str, Any]:
        return run_step(STEPS[name], as_of)

    return run(as_of)


def run_step(step: Step, as_of: str | None = None) -> dict[str, Any]:
    """Run one step in the current task, add an event for each asset (and reason) it made new, return its outcome.

    The clock is `as_of` if the task before gave one, else the run's parameter, else that of the newest asset
    event that started the run, else the step finds it. A run of an Airflow backfill stands for the day that its data
    interval ends with (`touchline_runs`).
    """
    # Its report is recorded; what the tasks after this one need is not in it.
    return dataclasses.asdict(dataclasses.replace(perform(step, as_of), report=None))


def perform(step: Step, as_of: str | None = None) -> StepOutcome:
    """As `run_step`, with the step's report."""
    context = get_current_context()
    if as_of is None:
        tell_what_is_new(context["triggering_asset_events"])
    given = as_of or context["params"].get("as_of") or _as_of_of_events(context["triggering_asset_events"])
    refuse_other_code()
    moment = parse_as_of(given) if given else None
    outcome = run_in_its_run(settings_with_lineage(step.name), step, moment)
    if context["params"].get("announce", True):
        for name, reasons in outcome.news.items():
            for reason in reasons:
                extra = {**reason, "as_of": outcome.as_of}
                context["outlet_events"][WHEN_NEW[name]].add(ASSETS[name], extra=extra)
    return outcome


def settings_with_lineage(step: str) -> Settings:
    """Settings of the current task; its OpenLineage events get the step's datasets, and dbt's events it as parent."""
    settings, task_instance = read_settings(), get_current_context().get("ti")
    if task_instance is None or openlineage.is_disabled():
        return settings
    from airflow.providers.openlineage.plugins.macros import lineage_parent_id

    touched, collector = datasets.touched_by(step), get_hook_lineage_collector()
    for table in touched.reads:
        collector.add_input_asset(task_instance, uri=datasets.dataset_uri(settings, table))
    for table in touched.writes:
        collector.add_output_asset(task_instance, uri=datasets.dataset_uri(settings, table))
    return settings.model_copy(update={"lineage_parent": lineage_parent_id(task_instance)})


def _as_of_of_events(events: Any) -> str | None:
    found = [event for _, of_one_asset in (events or {}).items() for event in of_one_asset]
    newest = max(found, key=lambda event: event.timestamp, default=None)
    return None if newest is None else newest.extra.get("as_of")
