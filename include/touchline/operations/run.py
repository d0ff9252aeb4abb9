"""From nothing to predictions: start the services, let Airflow run the pipeline, follow it to its end."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from touchline.clock import RunClock, live_clock
from touchline.database.engine import connect, rows
from touchline.errors import PipelineFailed
from touchline.monitoring.shortfalls import Shortfall, find_shortfalls
from touchline.operations import names, services, status
from touchline.operations.airflow_api import AirflowApi, airflow_of
from touchline.operations.code import code_digest
from touchline.operations.due import warehouse_is_behind
from touchline.operations.edge import run_clock
from touchline.operations.follow import Follower, Watch
from touchline.operations.pools import pools
from touchline.operations.services import Told
from touchline.settings import Settings
from touchline.sources.registry import open_sources

log = logging.getLogger(__name__)

PARSE_SECONDS = 120.0


@dataclass(frozen=True)
class RunReport:
    """The result of a run. `addresses` maps the names of pages to their addresses.

    `problems` are files that its collections could not have or read; with `shortfalls` the run ends as degraded.
    """

    as_of: str
    is_simulated: bool
    n_dag_runs: int
    n_tasks: int
    n_upcoming: int
    problems: tuple[str, ...]
    shortfalls: tuple[Shortfall, ...]
    addresses: dict[str, str]
    seconds: float

    @property
    def summary(self) -> str:
        """One sentence, and what is missing."""
        ending = "all successful"
        if self.shortfalls:
            ending = "degraded"
        elif self.problems:
            ending = f"{len(self.problems)} files not read"
        elif not self.n_upcoming:
            ending = "all successful, and no fixture is known in the horizon"
        text = (
            f"{self.n_upcoming} matches predicted as of {self.as_of[:16]}; {self.n_dag_runs} DAG runs with "
            f"{self.n_tasks} tasks, {ending}, in {self.seconds:.0f} s."
        )
        return text + "".join(f"\n  {shortfall}" for shortfall in self.shortfalls)


def start(settings: Settings, tell: Told, dag_ids: Sequence[str] = names.DAGS) -> AirflowApi:
    """Start every service, make Airflow ready to run these DAGs, and return a client of its API.

    Raises ServiceFailed or DatabaseUnavailable when a service does not come up, PipelineFailed when a DAG file
    cannot be read.
    """
    launched_at = live_clock().as_of
    launched = services.start_all(settings, tell)
    api = airflow_of(settings)
    api.set_pools(pools(settings))
    api.set_variable(names.CODE_VARIABLE, code_digest())
    if status.DAG_PROCESSOR in launched:
        tell("the DAG files")
        _await_dags(api, launched_at)
    api.unpause(dag_ids)
    return api


def run_pipeline(settings: Settings, timeout_seconds: float, tell: Told, watch: Watch) -> RunReport:
    """Run everything once and return when it is done; finishes first what an earlier run left unfinished.

    Raises what `start` and `Follower.until_idle` raise, and SourceUnavailable when there is no source.
    """
    started = time.monotonic()
    with start(settings, tell, ()) as api:
        clock = run_clock(settings)
        with open_sources(settings, clock):
            forget_other_worlds(settings, api, clock)
        since = live_clock().as_of
        conf = {"as_of": clock.as_of.isoformat()} if clock.mode == "virtual" else {}
        follower = Follower(settings, api, since, timeout_seconds, watch)
        # The warehouse is told of all collections together: one build instead of three. The runs that are due by their
        # timetables begin as soon as they may, so no DAG may before its turn.
        collections = (names.COLLECT_FIXTURES, names.COLLECT_ODDS, names.COLLECT_SCORES)
        api.unpause(collections)
        for dag_id in collections:
            api.trigger(dag_id, {**conf, "announce": False})
        follower.until_idle()
        api.unpause(names.DAGS)
        if warehouse_is_behind(settings, run_clock(settings)):
            api.trigger(names.BUILD_WAREHOUSE, conf)
            follower.until_idle()
        api.trigger(names.TRAIN_MODELS, conf)
        follower.until_idle()
        runs, tasks = api.runs_since(since), api.tasks_since(since)
    return RunReport(
        as_of=clock.as_of.isoformat(),
        is_simulated=settings.is_simulated,
        n_dag_runs=len(runs),
        n_tasks=sum(task.state != "skipped" for task in tasks),
        n_upcoming=_n_upcoming(settings),
        problems=_problems(settings, since),
        # With the wall clock, the present is later than when the run began.
        shortfalls=find_shortfalls(settings, (clock if clock.mode == "virtual" else live_clock()).as_of),
        addresses=addresses(settings),
        seconds=time.monotonic() - started,
    )


def addresses(settings: Settings) -> dict[str, str]:
    """Where to look: the board, the API's interactive documentation, Airflow and MLflow."""

    def at(service: str, preferred: int) -> str:
        return f"http://127.0.0.1:{settings.running_port(service, preferred)}"

    api = at(status.API, settings.api_port)
    return {
        "board": f"{api}/",
        "API": f"{api}/docs",
        "Airflow": f"{at(status.AIRFLOW_API, settings.airflow_port)}/",
        "MLflow": settings.mlflow_tracking_uri or f"{at(status.MLFLOW, settings.mlflow_port)}/",
    }


def _await_dags(api: AirflowApi, since: datetime) -> None:
    deadline = time.monotonic() + PARSE_SECONDS
    while True:
        if errors := api.import_errors():
            raise PipelineFailed("Airflow cannot read a DAG file:\n" + "\n".join(errors))
        parsed = api.parsed_at()
        missing = [dag_id for dag_id in names.DAGS if dag_id not in parsed or parsed[dag_id] < since]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise PipelineFailed(
                f"Airflow has not read {', '.join(missing)} within {PARSE_SECONDS:.0f} s; "
                "see the log of airflow-dag-processor"
            )
        time.sleep(0.2)


def forget_other_worlds(settings: Settings, api: AirflowApi, clock: RunClock) -> None:
    """Abandon what an earlier run of another source or another time left unfinished: this run is not to finish it.

    The time is that of a virtual clock: a setting, or the simulated world's, which is moved between runs.
    """
    path = settings.home / "run" / "world.json"
    world = {
        "database": settings.warehouse_database,
        "source": settings.source,
        "as_of": clock.as_of.isoformat() if clock.mode == "virtual" else None,
    }
    before = json.loads(path.read_text()) if path.exists() else world
    if before != world:
        api.forget_queued_events()
        changed = [
            f"{name} was {before.get(name)} and is {value}"
            for name, value in world.items()
            if before.get(name) != value
        ]
        for run in api.active_runs():
            reason = f"abandoned: before it had ended, {' and '.join(changed)}"
            api.abandon(run, reason)
            log.warning("%s (%s) %s", run.dag_id, run.run_id, reason)
    path.write_text(json.dumps(world))


def _n_upcoming(settings: Settings) -> int:
    with connect(settings, "api") as connection:
        return int(rows(connection, "select count(*) as n from analytics.upcoming_predictions")[0]["n"])


def _problems(settings: Settings, since: datetime) -> tuple[str, ...]:
    """Files that the collections of this run could not have or read."""
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select distinct jsonb_array_elements_text(detail -> 'problems') as problem from ops.pipeline_run "
            "where step like 'collect_%%' and started_at >= %s",
            (since,),
        )
    return tuple(row["problem"] for row in found)
