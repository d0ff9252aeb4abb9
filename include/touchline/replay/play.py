"""Play a season: at each moment collect, and run what the news starts, until nothing is new any more.

Every moment is recorded in ops.pipeline_run when it is over. A replay that was killed goes on with the moment in which
it was killed: its steps are those of production, which may be repeated.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from touchline.database import bootstrap
from touchline.database.engine import connect, rows, scalar
from touchline.database.kept import kept_connections
from touchline.errors import DatabaseUnavailable, ReplayImpossible, ServiceFailed, TouchlineError
from touchline.operations import names, records, services
from touchline.operations.flow import FLOWS, started_by
from touchline.operations.pipeline import Step, StepOutcome, run_step
from touchline.operations.steps import STEPS, collecting
from touchline.replay.faults import faulty
from touchline.replay.moments import next_moment
from touchline.replay.season import DAY_BEGINS, ReplayRequest, Season, forget_replays, link_files
from touchline.settings import Settings
from touchline.sources.football_data_uk.folder import FolderSource
from touchline.sources.source import KINDS, Kind

# What a replay records of itself, among the steps.
MOMENT: Final = "replay"
# What a DAG would be tried again for: the replay stops, and goes on when it is started again.
LOST: Final = (DatabaseUnavailable, ServiceFailed)

LONGEST_MESSAGE: Final = 500
# Python's default is 700.
OBJECTS_BEFORE_SEARCH: Final = 20_000

# Told at the end of each moment: the moment (UTC), and what is recorded of it.
OnMoment = Callable[[datetime, Mapping[str, Any]], None]


@dataclass
class Told:
    """What happened in a moment, as it is recorded. `seconds` is by step, summed over its runs."""

    n_predictions: int = 0
    n_settled: int = 0
    dags: list[str] = field(default_factory=list)
    trainings: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def play(
    settings: Settings, season: Season, on_moment: OnMoment = lambda moment, told: None, *, anew: bool = False
) -> None:
    """Play a season to its end, from where an earlier call stopped; `settings` are those of `replay_settings`.

    `anew` begins from the beginning. Raises what the loss of a service raises, and what is no TouchlineError; the next
    call goes on with the moment in which that happened.
    """
    bootstrap.prepare(settings)
    services.ensure_mlflow(settings)
    forget_replays(settings, this_too=anew)
    if anew:
        bootstrap.prepare(settings)
    link_files(settings, season)
    with _alone(settings), kept_connections():
        _play_on(settings, season, on_moment)


def _play_on(settings: Settings, season: Season, on_moment: OnMoment) -> None:
    source = FolderSource(Path(settings.source), season.competitions)
    last = _last_moment(settings)
    is_repeated = last is not None and last["status"] != "success"
    if last is None:
        moment = season.begins_at
    elif is_repeated:
        moment = last["as_of"]
    else:
        moment = next_moment(settings, source, last["as_of"], has_failed=_has_failed(last["detail"]))
    is_first = True
    while moment < season.ends_at:
        with records.recorded(settings, MOMENT, f"{MOMENT}/{moment:%Y-%m-%dT%H:%M}", moment) as detail:
            started = time.monotonic()
            told = _Moment(settings, season.request, source, moment).play(is_repeated=is_repeated)
            detail.update(vars(told) | {"wall_seconds": time.monotonic() - started})
        on_moment(moment, detail)
        if is_first:
            # What is there by now stays: libraries, dbt's project, a model. A search for garbage that goes through it
            # all, and often, took a tenth of the processor's time.
            gc.collect()
            gc.freeze()
            gc.set_threshold(OBJECTS_BEFORE_SEARCH)
            is_first = False
        moment = next_moment(settings, source, moment, has_failed=_has_failed(detail))
        is_repeated = False


def moments_played(settings: Settings) -> list[dict[str, Any]]:
    """What was recorded of every moment that is over, oldest first: its `as_of` (UTC) and `Told`."""
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select as_of, detail from ops.pipeline_run where step = %s and status = 'success' order by as_of",
            (MOMENT,),
        )
    return [{"as_of": row["as_of"], **row["detail"]} for row in found]


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Play while nobody else plays the same; raises ReplayImpossible when somebody does."""
    with connect(settings, "ingest") as connection:
        connection.autocommit = True
        if not scalar(connection, "select pg_try_advisory_lock(hashtext('replay'))"):
            raise ReplayImpossible(
                f"this season is being played in {settings.warehouse_database} by another process: wait for its end, "
                "or stop it"
            )
        yield


def _last_moment(settings: Settings) -> dict[str, Any] | None:
    """What is recorded of the last moment, which a kill or an error may have ended; None before the first."""
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select as_of, status, detail from ops.pipeline_run where step = %s order by as_of desc limit 1",
            (MOMENT,),
        )
    return found[0] if found else None


def _has_failed(detail: Mapping[str, Any]) -> bool:
    """Whether a collection of a moment has failed, or a request of it."""
    return any(incident["step"].startswith("collect_") for incident in detail["incidents"])


class _Moment:
    """One moment: what was collected, which DAGs that starts, and what came of them."""

    def __init__(
        self, settings: Settings, request: ReplayRequest, source: FolderSource, moment: datetime
    ) -> None:
        self._settings = settings.model_copy(update={"as_of": moment})
        self._request = request
        self._source = source
        self._moment = moment
        self._due: deque[str] = deque()
        self._told = Told()

    def play(self, *, is_repeated: bool) -> Told:
        """Collect, then run every DAG that news starts, and training when it is due.

        Of a moment that is repeated nobody knows whose news was lost, so everything is looked at again.
        """
        for kind in KINDS:
            self._collect(kind)
        if is_repeated:
            self._start(names.BUILD_WAREHOUSE, names.PREDICT_MATCHES, names.SETTLE_PREDICTIONS)
        self._run_due()
        if self._moment.timetz() == DAY_BEGINS and self._is_training_due():
            self._start(names.TRAIN_MODELS)
            self._run_due()
        return self._told

    def _collect(self, kind: Kind) -> None:
        """What the DAG of a collection does: ask, announce what came in any case, and judge."""
        opening = faulty(self._source, kind, self._request.injections, self._settings.random_seed)
        run_id = self._run_id(f"collect_{kind}")
        self._run(collecting((kind,), opening=opening), run_id)
        self._run(STEPS[f"announce_{kind}"], run_id)
        self._run(STEPS[f"{names.ALL_COLLECTED}/{kind}"], run_id)

    def _run_due(self) -> None:
        while self._due:
            flow = FLOWS[self._due.popleft()]
            run_id = self._run_id(flow.dag_id)
            done: set[str] = set()
            for step, waits_for in flow.steps.items():
                if done.issuperset(waits_for) and self._run(STEPS[step], run_id):
                    done.add(step)

    def _run(self, step: Step, run_id: str) -> bool:
        """Run a step, and have what is new start its consumers; False when it failed, which is an incident."""
        started = time.monotonic()
        try:
            outcome = run_step(self._settings, step, run_id)
        except LOST:
            raise
        except TouchlineError as error:
            self._incident(step.name, type(error).__name__, str(error))
            return False
        finally:
            seconds = self._told.seconds.get(step.name, 0.0) + time.monotonic() - started
            self._told.seconds[step.name] = seconds
        self._note(outcome)
        for asset in outcome.news:
            self._start(*started_by(asset))
        return True

    def _incident(self, step: str, error: str, message: str) -> None:
        self._told.incidents.append({"step": step, "error": error, "message": message[:LONGEST_MESSAGE]})

    def _start(self, *dag_ids: str) -> None:
        """Have DAGs run; one that waits for its turn takes in what is new meanwhile."""
        self._due.extend(dag_id for dag_id in dag_ids if dag_id not in self._due)

    def _run_id(self, dag_id: str) -> str:
        self._told.dags.append(dag_id)
        return f"{dag_id}/{MOMENT}-{self._moment:%Y-%m-%dT%H:%M}-{self._told.dags.count(dag_id)}"

    def _note(self, outcome: StepOutcome) -> None:
        report = outcome.report
        if report is None:
            return
        if outcome.step.startswith("collect_"):
            for problem in report.problems:
                self._incident(outcome.step, "incomplete", problem)
        elif outcome.step == "predict":
            self._told.n_predictions += report.n_written
        elif outcome.step == "settle":
            self._told.n_settled += report.n_settled
        elif outcome.step == "train":
            trained = [each for each in (report, report.challenger) if each is not None]
            self._told.trainings += [_training(each) for each in trained]
        elif outcome.step == "measure_drift":
            self._told.alarms += [dict(reason) for reason in outcome.news.get(names.DRIFT, ())]

    def _is_training_due(self) -> bool:
        """Whether so many days have passed since the last training; one of this very moment is looked at again."""
        with connect(self._settings, "ingest") as connection:
            last = scalar(
                connection,
                "select max(as_of) from ops.pipeline_run where step = 'train' and status = 'success'",
            )
        return (
            last is None
            or last == self._moment
            or self._moment - last >= timedelta(days=self._request.train_every)
        )


def _training(report: Any) -> dict[str, Any]:
    kept = ("version", "alias", "state", "primary", "n_matches", "reason", "log_loss", "market_log_loss")
    return {name: getattr(report, name) for name in kept}
