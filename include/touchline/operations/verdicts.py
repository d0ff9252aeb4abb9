"""The last steps of a DAG: each fails as degraded when something is missing that the DAG answers for.

What could be done is done and announced before; so nothing waits for a verdict, and a second try would find the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from touchline.database.engine import connect, scalar
from touchline.errors import PipelineDegraded
from touchline.monitoring.late import late_predictions
from touchline.monitoring.shortfalls import OF_PREDICTIONS, Kind, Shortfall, find_shortfalls, told
from touchline.operations import names
from touchline.operations.pipeline import Run, Step

NEVER_TRAINED = "No model was ever trained, so none could predict; train_models comes first."


@dataclass(frozen=True)
class Complete:
    """The report of a verdict that found nothing."""

    summary: str = "Nothing is missing."


def all_collected(kind: str) -> Step:
    """The verdict on a collection of a kind of facts."""
    return _verdict(
        f"{names.ALL_COLLECTED}/{kind}", f"Fail when no source has given {kind}.",
        ("uncollected",), lambda shortfall: shortfall.subject == kind, in_backfill="as now",
    )  # fmt: skip


def all_predicted() -> Step:
    """The verdict on predictions; a new installation predicts before it has trained, which is no fault."""
    return _verdict(
        names.ALL_PREDICTED, "Fail when a fixture ahead has no prediction, or a competition is held.",
        OF_PREDICTIONS, idle=_never_trained, in_backfill="never",
        not_in_backfill="What is missing ahead is judged now or not at all.",
    )  # fmt: skip


def predicted_in_time() -> Step:
    """The verdict on the promise that a prediction is in the ledger an hour before kick-off."""

    def work(run: Run) -> Complete:
        late = late_predictions(run.settings, run.as_of)
        if late:
            matches = "1 match" if len(late) == 1 else f"{len(late)} matches"
            raise PipelineDegraded(
                "\n".join((f"{matches} without a prediction an hour before kick-off", *late))
            )
        return Complete()

    return Step(
        names.PREDICTED_IN_TIME, "Fail when a match that kicks off within the hour has no prediction.", work,
        is_present=True, idle=_never_trained, in_backfill="never",
        not_in_backfill="Whether predictions are there in time is judged in time or not at all.",
    )  # fmt: skip


def _verdict(
    name: str, does: str, kinds: Sequence[Kind], counts: Callable[[Shortfall], bool] = lambda _: True, **options: Any
) -> Step:  # fmt: skip
    def work(run: Run) -> Complete:
        found = [each for each in find_shortfalls(run.settings, run.as_of, kinds) if counts(each)]
        if found:
            raise PipelineDegraded(told(found))
        return Complete()

    return Step(name, does, work, is_present=True, **options)


def _never_trained(run: Run) -> str | None:
    query = "select exists (select from ops.pipeline_run where step = 'train' and status <> 'running')"
    with connect(run.settings, "ingest") as connection:
        return None if scalar(connection, query) else NEVER_TRAINED
