"""What the doctor asks the services: whether they run and where, how Airflow's parts are, whether its runs move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from touchline.errors import ServiceFailed
from touchline.operations import status
from touchline.operations.airflow_api import AirflowApi, DagRun, TaskRun, airflow_of
from touchline.operations.check import Check, failure, guarded
from touchline.settings import Settings

# Where a service answers: its setting, and the path to ask.
ADDRESSES: Final = {
    status.SANDBOX: ("sandbox_port", "/clock"),
    status.MLFLOW: ("mlflow_port", "/health"),
    status.AIRFLOW_API: ("airflow_port", "/api/v2/version"),
    status.API: ("api_port", "/v1/health/live"),
    status.PROMETHEUS: ("prometheus_port", "/-/ready"),
    status.ALERTMANAGER: ("alertmanager_port", "/-/ready"),
    status.NODE_EXPORTER: ("node_exporter_port", "/"),
    status.EXPORTER: ("exporter_port", "/live"),
}
# A task that was handed to the executor starts within seconds, and no pause between two tries is longer than 5 minutes.
PATIENCE: Final = timedelta(minutes=10)
# A task that waits for a moment or for an answer, without a worker.
PARKED: Final = ("deferred", "awaiting_input")
PARTS: Final = {
    "metadatabase": "Airflow cannot reach PostgreSQL: `touchline up`, see the log of airflow-api",
    "scheduler": "nothing is started without it: `touchline up`, see the log of airflow-scheduler",
    "dag_processor": "changed DAG files are not read without it: `touchline up`, see the log of airflow-dag-processor",
    "triggerer": "what waits for a source does not go on without it: `touchline up`, see the log of airflow-triggerer",
}


def service_checks(settings: Settings, now: datetime) -> Iterator[Check]:
    """A check of each service that these settings ask for, and of Airflow's parts and runs while it answers.

    `now` is the wall clock's (UTC).
    """
    states = {each.service: each for each in status.status(settings).services}
    elsewhere = {
        status.SANDBOX: not settings.is_simulated or settings.sandbox_url is not None,
        status.MLFLOW: settings.mlflow_tracking_uri is not None,
    }
    for service in (*status.SERVICES, *status.MONITORING):
        # PostgreSQL has a check of its own, as it may be elsewhere.
        if service != status.POSTGRES and service in states and not elsewhere.get(service):
            yield _service(settings, service, states[service])
    if status.PROMETHEUS in states and states[status.PROMETHEUS].state == "running":
        address = states[status.PROMETHEUS].address
        yield guarded("Prometheus' targets", lambda: _targets(address), "see the log of prometheus")
    if states[status.AIRFLOW_API].state == "running":
        try:
            with airflow_of(settings) as api:
                parts = list(judge_health(api.health()))
                yield from parts
                if len(parts) == len(PARTS):
                    yield guarded("Airflow's runs", lambda: _runs(api, now), "see the log of airflow-api")
        # Whatever else answers there is no Airflow either.
        except (ServiceFailed, ValueError, LookupError) as error:
            yield failure("Airflow", error, "see the log of airflow-api")


def judge_health(health: Mapping[str, Any]) -> Iterator[Check]:
    """A check of each part in the body of Airflow's health reply, whose status code is 200 whatever it says.

    Without its database nothing is known of the others.
    """
    for part, advice in PARTS.items():
        told = health.get(part) or {}
        state, beat = told.get("status"), told.get(f"latest_{part}_heartbeat")
        subject = f"Airflow's {part.replace('_', ' ')}"
        if state == "healthy":
            yield Check(subject, "ok", "healthy")
        else:
            finding = f"{state or 'was never seen'}, last heartbeat {beat or 'never'}"
            yield Check(subject, "failed", finding, advice)
        if part == "metadatabase" and state != "healthy":
            return


def standing_runs(tasks: Mapping[DagRun, list[TaskRun]], now: datetime) -> list[DagRun]:
    """Those of the active runs, given with their tasks, that do not move at an instant (UTC).

    That is a run with a task that was handed to the executor long ago and has not begun (its worker may be dead), and
    any run in which nothing has changed for long while no task of any run is at work. A run that waits for another
    one, for its tasks or for its place in a pool moves when that one does; one that waits for a source or for a person
    goes on by itself.
    """
    is_busy = any(task.state == "running" for found in tasks.values() for task in found)

    def stands(run: DagRun, found: list[TaskRun]) -> bool:
        lost = any(task.state == "queued" and _is_long_ago(task.changed_at, now) for task in found)
        if not lost and any(task.state in PARKED for task in found):
            return False
        changes = [moment for moment in (run.changed_at, *(task.changed_at for task in found)) if moment]
        return lost or (not is_busy and _is_long_ago(max(changes, default=None), now))

    return [run for run, found in tasks.items() if stands(run, found)]


def _service(settings: Settings, service: str, found: status.ServiceState) -> Check:
    log, state = f"see the log of {service}, then `touchline up`", found.state
    if state in ("given up", "died", "not answering"):
        return Check(service, "failed", "; ".join(filter(None, (state, found.note))), log)
    if state not in ("running", "stopped"):
        told = "; ".join(filter(None, (state, found.note)))
        return Check(service, "warning", told, "wait a moment: the supervisor starts it again")
    if service not in ADDRESSES:
        is_running = state == "running"
        return Check(service, "ok" if is_running else "warning", state, "run `touchline up`")
    setting, path = ADDRESSES[service]
    preferred: int = getattr(settings, setting)
    port = settings.running_port(service, preferred)
    address = f"http://127.0.0.1:{port}"
    try:
        code = httpx.get(f"{address}{path}", timeout=3).status_code
    except httpx.TransportError:
        if state == "stopped":
            return Check(service, "warning", f"not running at {address}", "run `touchline up`")
        return Check(service, "failed", f"runs, and does not answer at {address}", log)
    if code != httpx.codes.OK:
        return Check(service, "failed", f"{address} answers {code}", log)
    if port != preferred != 0:
        return Check(
            service, "warning", f"listens at {address}, because port {preferred} was taken",
            f"end what listens on port {preferred} (`ss -ltnp`), then `touchline down` and `touchline up`",
        )  # fmt: skip
    return Check(service, "ok", f"{address} answers")


def _targets(address: str) -> Check:
    reply = httpx.get(f"{address}/api/v1/targets", params={"state": "active"}, timeout=3).raise_for_status()
    targets = reply.json()["data"]["activeTargets"]
    down = [f"{each['labels']['job']} ({each['lastError']})" for each in targets if each["health"] == "down"]
    if not down:
        return Check("Prometheus' targets", "ok", f"{len(targets)}, none down")
    return Check("Prometheus' targets", "warning", f"down: {', '.join(down)}", "see `touchline status`")


def _runs(api: AirflowApi, now: datetime) -> Check:
    tasks = {run: api.tasks(run) for run in api.active_runs()}
    standing = standing_runs(tasks, now)
    if not standing:
        return Check("Airflow's runs", "ok", f"{len(tasks)} active, all move" if tasks else "none is active")
    told = ", ".join(f"{run.dag_id} ({run.run_id})" for run in standing)
    return Check(
        "Airflow's runs", "failed",
        f"nothing has moved for {PATIENCE / timedelta(minutes=1):.0f} minutes in {told}",
        "see the run in Airflow; clear the task that waits, or mark the run as failed, and the next one starts",
    )  # fmt: skip


def _is_long_ago(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and now - moment > PATIENCE
