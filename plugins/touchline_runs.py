"""What the run of a task asks of its step: the day of a backfill, and to tell what is new since the last run."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Asset, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from touchline.errors import NothingToBackfill
from touchline.operations import news, pipeline
from touchline.operations.past import run_step_of_past
from touchline.operations.pipeline import Step, StepOutcome
from touchline.settings import Settings

log = logging.getLogger(__name__)


def run_in_its_run(settings: Settings, step: Step, as_of: datetime | None) -> StepOutcome:
    """Run a step with a clock (UTC; None is the present), or as of the past day that the run stands for.

    What a past day cannot have done is skipped, with the reason. Raises what the step raises.
    """
    run, until = get_current_context()["dag_run"], end_of_backfill()
    run_id = f"{run.dag_id}/{run.run_id}"
    if until is None:
        return pipeline.run_step(settings, step, run_id, as_of)
    try:
        return run_step_of_past(settings, step, run_id, until)
    except NothingToBackfill as reason:
        log.warning("%s", reason)
        raise AirflowSkipException(str(reason)) from reason


def end_of_backfill() -> datetime | None:
    """The instant (UTC) up to which a run of an Airflow backfill knows everything; None for every other run.

    It is the end of the data interval: of the day, or, for a DAG with times of its own, the very time of that run.
    """
    run = get_current_context()["dag_run"]
    if run.run_type != "backfill" or run.data_interval_end is None:
        return None
    return datetime.fromtimestamp(run.data_interval_end.timestamp(), UTC)


def tell_what_is_new(events: Any) -> None:
    """Log what is new of each asset that started the run."""
    # Each event is also among those of the alias by which it was published.
    assets = {asset: of_one for asset, of_one in (events or {}).items() if isinstance(asset, Asset)}
    for asset, of_one in assets.items():
        for event in of_one:
            log.info("new: %s: %s", asset.name, news.told(event.extra))
