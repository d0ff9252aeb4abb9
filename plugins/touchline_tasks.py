"""How a step of the pipeline becomes an Airflow task: defaults, clock, asset events, what to retry."""

from __future__ import annotations

import dataclasses
import os
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import requests
import sqlalchemy.exc
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.openlineage import conf as openlineage
from airflow.sdk import CronTriggerTimetable, Param, Variable, XComArg, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from touchline.clock import parse_as_of
from touchline.errors import (
    DatabaseUnavailable,
    DayNotOver,
    PipelineDegraded,
    QualityGateFailed,
    ServiceFailed,
    SettingsInvalid,
    WarehouseBuildFailed,
)
from touchline.openlineage import datasets
from touchline.operations import names
from touchline.operations.pipeline import Step
from touchline.operations.steps import STEPS, collecting
from touchline.settings import Settings, read_settings
from touchline_assets import ASSETS, WHEN_NEW
from touchline_runs import run_in_its_run, tell_what_is_new

if TYPE_CHECKING:
    from touchline.sources.source import Kind

# A second try would find the same rows; nothing downstream may run until somebody has looked.
NOT_WORTH_A_RETRY = (DayNotOver, PipelineDegraded, QualityGateFailed, SettingsInvalid, WarehouseBuildFailed)
# An error of the task's own that comes a third time will come a fourth time.
TRIES = 3
# A task that was killed, or whose database or MLflow went away, has done nothing wrong.
LOST = (
    psycopg.OperationalError, psycopg.InterfaceError, sqlalchemy.exc.OperationalError, requests.ConnectionError,
    DatabaseUnavailable, ServiceFailed,
)  # fmt: skip

TASK_DEFAULTS = {
    "owner": names.OWNER,
    "retries": 10,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(minutes=30),
    "pool": names.DATABASE_POOL,
}
# Training takes every core there is, and hours where there is much to learn from.
TRAINING = {"pool": names.TRAINING_POOL, "execution_timeout": timedelta(hours=2)}
DAG_DEFAULTS = {
    "catchup": False,
    "max_active_runs": 1,
    "dagrun_timeout": timedelta(hours=3),
    "default_args": TASK_DEFAULTS,
    "params": {
        "as_of": Param(None, type=["null", "string"], description="run as if this were now (UTC, ISO 8601)"),
        "announce": Param(True, type="boolean", description="let the DAGs that wait for this one start"),
    },
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

    @task(**{"task_id": name, "doc_md": row.does, "outlets": outlets, **options})
    def run(as_of: str | None = None) -> dict[str, Any]:
        return run_step(STEPS[name], as_of)

    return run(as_of)


def collect_from_sources(kind: Kind) -> None:
    """The tasks of a collection: which sources, one task a source, and the word to the warehouse.

    A source that fails keeps the others from nothing: what they gave is announced, and the run still fails.
    """

    @task(pool=names.DATABASE_POOL)
    def sources() -> list[str]:
        from touchline.operations.sources import sources_giving

        take_keys_from_airflow()
        return sources_giving(read_settings(), kind)

    @task(pool=names.LANDING_POOL, map_index_template="{{ source }}")
    def collect(source: str) -> dict[str, Any]:
        get_current_context()["source"] = source  # type: ignore[typeddict-unknown-key]
        take_keys_from_airflow()
        window = window_of_backfill()
        return run_step(collecting((kind,), (source,), window, is_strict=window is not None))

    landed = collect.expand(source=sources())
    landed >> [
        step(f"announce_{kind}", task_id="announce", trigger_rule="all_done"),
        step(f"{names.ALL_COLLECTED}/{kind}", task_id=names.ALL_COLLECTED),
    ]


def run_step(step: Step, as_of: str | None = None) -> dict[str, Any]:
    """Run one step in the current task, add an event for each asset (and reason) it made new, return its outcome.

    The clock is `as_of` if the task before gave one, else the run's parameter, else that of the newest asset
    event that started the run, else the step finds it. A run of an Airflow backfill stands for the day that its data
    interval ends with (`touchline_runs`).
    """
    context = get_current_context()
    if as_of is None:
        tell_what_is_new(context["triggering_asset_events"])
    given = as_of or context["params"].get("as_of") or _as_of_of_events(context["triggering_asset_events"])
    try:
        moment = parse_as_of(given) if given else None
        settings = settings_with_lineage(step.name)
        outcome = run_in_its_run(settings, step, moment)
    except AirflowSkipException:
        raise
    except (Exception, AirflowTaskTimeout) as error:
        is_last = context["ti"].try_number >= TRIES and not _has_lost_a_service(error)
        if is_last or isinstance(error, NOT_WORTH_A_RETRY):
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        raise
    if context["params"].get("announce", True):
        for name, reasons in outcome.news.items():
            for reason in reasons:
                extra = {**reason, "as_of": outcome.as_of}
                context["outlet_events"][WHEN_NEW[name]].add(ASSETS[name], extra=extra)
    # Its report is recorded; what the tasks after this one need is not in it.
    return dataclasses.asdict(dataclasses.replace(outcome, report=None))


def _has_lost_a_service(error: BaseException | None) -> bool:
    """Whether the error, or one that led to it, is the loss of a service."""
    while error is not None:
        if isinstance(error, LOST):
            return True
        error = error.__cause__ or error.__context__
    return False


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


def take_keys_from_airflow() -> None:
    """Keys of sources from the Airflow secrets backend, for this process, where the environment has none."""
    from touchline.operations.sources import sources_with_keys

    settings = read_settings()
    for source in () if settings.is_simulated else sources_with_keys(settings):
        name = f"TOUCHLINE_{source.upper()}_KEY"
        if not {name, f"{name}_FILE"} & set(os.environ):
            key = Variable.get(f"touchline_{source}_key", default=None)
            if key:
                os.environ[name] = key


def window_of_backfill() -> tuple[date, date] | None:
    """The day whose matches a run of an Airflow backfill collects; None for every other run."""
    run = get_current_context()["dag_run"]
    if run.run_type != "backfill" or run.logical_date is None:
        return None
    return run.logical_date.date(), run.logical_date.date()
