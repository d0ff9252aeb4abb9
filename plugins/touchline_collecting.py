"""The tasks of a collection: which sources, a task a source in that source's pool, and the word to the warehouse."""

from __future__ import annotations

import dataclasses
import logging
import os
from datetime import date, datetime, timedelta
from typing import Any, NoReturn

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator, SkipMixin, TaskGroup, Variable, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from touchline.clock import live_clock
from touchline.errors import SourceUnavailable
from touchline.operations import names
from touchline.operations.matchday import next_planned
from touchline.operations.pipeline import StepOutcome
from touchline.operations.pools import pool_of
from touchline.operations.steps import STEPS, collecting
from touchline.settings import read_settings
from touchline.sources.configuration import read_configuration
from touchline.sources.kinds import Kind
from touchline_assets import WHEN_NEW
from touchline_limits import limits_of, limits_of_collecting
from touchline_tasks import perform, run_step, step

REST = "collect_rest"
# What a source has not given by then is collected apart, so that what the others gave is not kept waiting.
PROMPT_SECONDS = 240.0

log = logging.getLogger(__name__)


class Collect(BaseOperator, SkipMixin):
    """Ask one source for a kind of facts, for a few minutes at most.

    What is left, because the source is slow or has asked for a pause, is for the task after this one (`CollectRest`),
    which is skipped when nothing is left.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, kind: Kind, source: str, **options: Any) -> None:
        super().__init__(**options)
        self.kind, self.source = kind, source

    def execute(self, context: Any) -> dict[str, Any]:
        """Collect; `rest_at` of the outcome is when the source can be asked for the rest (UTC).

        Skipped when the source rests and has given nothing: that is no failure, and no end of one either. When it rests
        because a try before has failed, this try has failed too: SourceUnavailable.
        """
        outcome = self._ask(seconds=PROMPT_SECONDS)
        rest_at = self._rest_at(context, outcome)
        if rest_at is None and not outcome.report.is_answered:
            if outcome.report.is_failing and context["ti"].try_number > 1:
                raise SourceUnavailable(outcome.summary)
            raise AirflowSkipException(outcome.summary)
        if rest_at is None:
            self.skip(context["ti"], [self.dag.get_task(f"{REST}.{self.source}")])
            return _plain(outcome)
        return {**_plain(outcome), "rest_at": rest_at.isoformat()}

    def _ask(self, *, seconds: float | None = None, resumes: bool = False) -> StepOutcome:
        take_keys_from_airflow()
        window = window_of_backfill()
        return perform(
            collecting(
                (self.kind,), (self.source,), window,
                is_strict=window is not None, resumes=resumes, seconds=seconds,
            )
        )  # fmt: skip

    def _rest_at(self, context: Any, outcome: StepOutcome) -> datetime | None:
        """When to ask for the rest; None when there is none, or the run that is planned next will ask.

        Raises SourceUnavailable when the run is a backfill, whose day no other run collects, and would end before.
        """
        wait = outcome.report.wait_seconds
        if wait is None:
            return None
        settings, run, now = read_settings(), context["dag_run"], live_clock().as_of
        # While one waits, the simulated world's clock stands still.
        at = now if settings.is_simulated else now + timedelta(seconds=wait)
        end: datetime = run.start_date + context["dag"].dagrun_timeout
        if run.run_type == "backfill":
            if at >= end:
                raise SourceUnavailable(
                    f"{outcome.summary} The run would end before it can go on; clear this task."
                )
            return at
        if at >= min(end, next_planned(settings, self.kind, now)):
            log.warning(
                "%s can be asked again at %s: the run that is planned before does so", self.source, at
            )
            return None
        return at


class CollectRest(Collect):
    """Wait, without a worker and without a place in a pool, until a source can be asked for what it has not given."""

    def execute(self, context: Any) -> NoReturn:
        """Wait until the moment that the task before has found."""
        before = context["ti"].xcom_pull(task_ids=f"{names.COLLECT_GROUP}.{self.source}")
        self._wait(datetime.fromisoformat(before["rest_at"]))

    def go_on(self, context: Any, event: Any = None) -> dict[str, Any]:
        """Collect what is missing, wait again if the source asks for it, then announce what has landed."""
        del event
        outcome = self._ask(resumes=True)
        rest_at = None if read_settings().is_simulated else self._rest_at(context, outcome)
        if rest_at is not None:
            self._wait(rest_at)
        return run_step(STEPS[f"announce_{self.kind}"])

    def _wait(self, until: datetime) -> NoReturn:
        log.info("%s is asked for the rest at %s UTC", self.source, until)
        self.defer(trigger=DateTimeTrigger(moment=until), method_name="go_on")


def collect_from_sources(kind: Kind) -> None:
    """The tasks of a collection. Those of sources that are not in use are skipped.

    A source that fails, is slow or asks for a pause keeps the others from nothing: what they gave is announced.
    """

    @task.branch(**limits_of("sources"))
    def sources() -> list[str]:
        from touchline.operations.sources import sources_giving

        take_keys_from_airflow()
        return [f"{names.COLLECT_GROUP}.{source}" for source in sources_giving(read_settings(), kind)]

    @task(
        doc_md=STEPS[f"announce_{kind}"].does, outlets=[WHEN_NEW[names.LANDING[kind]]], trigger_rule="all_done",
        **limits_of(f"announce_{kind}"),
    )  # fmt: skip
    def announce() -> dict[str, Any]:
        take_keys_from_airflow()
        return run_step(STEPS[f"announce_{kind}"])

    verdict = step(f"{names.ALL_COLLECTED}/{kind}", task_id=names.ALL_COLLECTED, trigger_rule="none_failed")
    first, rest = TaskGroup(names.COLLECT_GROUP), TaskGroup(REST)
    chosen, announced = sources(), announce()
    for source in sources_of(kind):
        options: dict[str, Any] = {
            "task_id": source, "kind": kind, "source": source, "pool": pool_of(source),
            **limits_of_collecting(kind),
        }  # fmt: skip
        collect = Collect(**options, task_group=first)
        chosen >> collect >> [announced, verdict]
        collect >> CollectRest(**options, task_group=rest, outlets=[WHEN_NEW[names.LANDING[kind]]])


def sources_of(kind: Kind) -> list[str]:
    """Names of the configured sources that give a kind of facts, whether they are in use or not."""
    configured = read_configuration(read_settings().sources_file).sources
    return [name for name, source in configured.items() if kind in source.gives]


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
    """The day that a run of an Airflow backfill stands for; None for every other run."""
    run = get_current_context()["dag_run"]
    if run.run_type != "backfill" or run.logical_date is None:
        return None
    return run.logical_date.date(), run.logical_date.date()


def _plain(outcome: StepOutcome) -> dict[str, Any]:
    return dataclasses.asdict(dataclasses.replace(outcome, report=None))
