"""The few calls of Airflow's REST API (version 2) that a run needs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from touchline.errors import ServiceFailed
from touchline.operations.airflow_settings import USER
from touchline.operations.names import DAGS, VERDICTS
from touchline.operations.status import AIRFLOW_API
from touchline.settings import Settings
from touchline.supervision.programs import HOST

ACTIVE = ("queued", "running")
PAGE = 100
LOGIN = "/auth/token"
# A server that died, or whose database did, is back in less.
PATIENCE_SECONDS = 120.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG; `state` is queued, running, success or failed; it was queued or began at `changed_at` (UTC)."""

    dag_id: str
    run_id: str
    state: str
    changed_at: datetime | None = None


@dataclass(frozen=True)
class TaskRun:
    """One task of a run; `state` is None before it was scheduled, `seconds` its duration so far.

    `changed_at` (UTC) is when it last was scheduled, queued, began or ended.
    """

    dag_id: str
    run_id: str
    task_id: str
    state: str | None
    try_number: int
    seconds: float | None
    changed_at: datetime | None = None


def is_only_degraded(tasks: Iterable[TaskRun]) -> bool:
    """True when of a failed run's tasks nothing but a verdict has failed: the run has done its work."""
    failed = {task.task_id for task in tasks if task.state == "failed"}
    return bool(failed) and failed <= set(VERDICTS)


class AirflowApi:
    """A client of the API server at `address`, logged in as `user` with its first question.

    Every method asks again when there is no answer, and raises ServiceFailed when there is none for long.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address
        self._login = {"username": user, "password": password}
        self._client = httpx.Client(base_url=address, timeout=30)

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def health(self) -> dict[str, Any]:
        """The state of Airflow's own parts, by name; it answers even when they are dead."""
        return self._ask("GET", "/api/v2/monitor/health")

    def set_pools(self, pools: Mapping[str, tuple[int, str]]) -> None:
        """Create or change pools: name -> (slots, description)."""
        entities = [
            {"name": name, "slots": slots, "description": description, "include_deferred": False}
            for name, (slots, description) in pools.items()
        ]
        body = {"actions": [{"action": "create", "entities": entities, "action_on_existence": "overwrite"}]}
        self._ask("PATCH", "/api/v2/pools", json=body)

    def set_variable(self, key: str, value: str) -> None:
        """Create or change a variable, which tasks can read."""
        entities = [{"key": key, "value": value}]
        body = {"actions": [{"action": "create", "entities": entities, "action_on_existence": "overwrite"}]}
        self._ask("PATCH", "/api/v2/variables", json=body)

    def parsed_at(self) -> dict[str, datetime]:
        """When each of our DAGs was last read from its file (UTC); DAGs never read are left out."""
        dags = self._ask("GET", "/api/v2/dags", params={"limit": PAGE})["dags"]
        return {
            dag["dag_id"]: datetime.fromisoformat(dag["last_parsed_time"])
            for dag in dags
            if dag["dag_id"] in DAGS and dag["last_parsed_time"] and not dag["is_stale"]
        }

    def timetables(self) -> dict[str, str]:
        """What Airflow says of the timetable of each of our DAGs."""
        dags = self._ask("GET", "/api/v2/dags", params={"limit": PAGE})["dags"]
        return {
            dag["dag_id"]: dag["timetable_summary"] or ""
            for dag in dags
            if dag["dag_id"] in DAGS and not dag["is_stale"]
        }

    def import_errors(self) -> list[str]:
        """File and traceback of every DAG file that cannot be read."""
        found = self._ask("GET", "/api/v2/importErrors", params={"limit": PAGE})["import_errors"]
        return [f"{error['filename']}:\n{error['stack_trace']}" for error in found]

    def unpause(self, dag_ids: Sequence[str]) -> None:
        """Let the scheduler run these DAGs."""
        for dag_id in dag_ids:
            self._ask("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any]) -> DagRun:
        """Start a run by hand."""
        run_id = f"manual__{uuid.uuid4()}"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        # It may exist already: the answer to a first request can be lost.
        existing = {"dag_id": dag_id, "dag_run_id": run_id, "state": "queued"}
        return _dag_run(self._ask("POST", f"/api/v2/dags/{dag_id}/dagRuns", conflict=existing, json=body))

    def run(self, run: DagRun) -> DagRun:
        """The same run, as it is now."""
        return _dag_run(self._ask("GET", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}"))

    def run_due_at(self, dag_id: str, moment: datetime) -> DagRun | None:
        """The first run of a DAG that may begin at an instant (UTC) or later; None when there is none yet."""
        params = {"run_after_gte": moment.isoformat(), "order_by": "run_after", "limit": 1}
        found = self._ask("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=params)["dag_runs"]
        return _dag_run(found[0]) if found else None

    def active_runs(self) -> list[DagRun]:
        """Runs of ours that have not ended."""
        return self._runs({"state": list(ACTIVE)})

    def runs_since(self, moment: datetime) -> list[DagRun]:
        """Runs of ours that were created, went on or ended since an instant (UTC)."""
        return self._runs({"updated_at_gte": moment.isoformat()})

    def tasks_since(self, moment: datetime) -> list[TaskRun]:
        """Tasks of ours that changed since an instant (UTC), in the order in which they started."""
        params = {"updated_at_gte": moment.isoformat(), "limit": PAGE, "order_by": "start_date"}
        return self._tasks("/api/v2/dags/~/dagRuns/~/taskInstances", params)

    def abandon(self, run: DagRun, reason: str) -> None:
        """Mark an unfinished run as failed, with the reason in its note."""
        address = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}"
        self._ask("PATCH", address, json={"state": "failed", "note": reason})

    def open_questions(self, dag_id: str) -> list[tuple[str, str]]:
        """Run id and subject of every required action of a DAG that nobody has answered."""
        found = self._ask(
            "GET", f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails",
            params={"response_received": False, "limit": PAGE},
        )["hitl_details"]  # fmt: skip
        return [(each["task_instance"]["dag_run_id"], each["subject"]) for each in found]

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """Answer a required action; nothing where somebody was faster."""
        address = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._ask("PATCH", address, conflict={}, json={"chosen_options": [option]})

    def n_queued_events(self) -> int:
        """Asset events that wait for a run of ours to be created."""
        return sum(
            self._ask("GET", f"/api/v2/dags/{dag_id}/assets/queuedEvents", missing={"total_entries": 0})[
                "total_entries"
            ]
            for dag_id in DAGS
        )

    def forget_queued_events(self) -> None:
        """Drop the asset events that wait for a run of ours."""
        for dag_id in DAGS:
            self._ask("DELETE", f"/api/v2/dags/{dag_id}/assets/queuedEvents", missing={})

    def tasks(self, run: DagRun) -> list[TaskRun]:
        """The tasks of a run."""
        return self._tasks(f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances", {"limit": PAGE})

    def log(self, task: TaskRun) -> list[str]:
        """The log of a task's last try, one line an event."""
        of_task = f"/api/v2/dags/{task.dag_id}/dagRuns/{task.run_id}/taskInstances/{task.task_id}"
        address = f"{of_task}/logs/{task.try_number}"
        content = self._ask("GET", address, params={"full_content": True}, missing={"content": []})["content"]
        return [_line(event) for event in content]

    def _runs(self, params: Mapping[str, Any]) -> list[DagRun]:
        found = self._ask(
            "GET", "/api/v2/dags/~/dagRuns", params={**params, "limit": PAGE, "order_by": "-id"}
        )
        return [_dag_run(run) for run in found["dag_runs"] if run["dag_id"] in DAGS]

    def _tasks(self, address: str, params: Mapping[str, Any]) -> list[TaskRun]:
        found = self._ask("GET", address, params=params)["task_instances"]
        return [
            TaskRun(
                dag_id=task["dag_id"],
                run_id=task["dag_run_id"],
                task_id=task["task_id"],
                state=task["state"],
                try_number=task["try_number"],
                seconds=task["duration"],
                changed_at=_latest(task, "scheduled_when", "queued_when", "start_date", "end_date"),
            )
            for task in found
            if task["dag_id"] in DAGS
        ]

    def _ask(
        self,
        method: str,
        path: str,
        *,
        missing: Mapping[str, Any] | None = None,
        conflict: Mapping[str, Any] | None = None,
        **request: Any,
    ) -> dict[str, Any]:
        if path != LOGIN and "Authorization" not in self._client.headers:
            token = self._ask("POST", LOGIN, json=self._login)["access_token"]
            self._client.headers["Authorization"] = f"Bearer {token}"
        reply = self._reply(method, path, **request)
        if reply.status_code == httpx.codes.NOT_FOUND and missing is not None:
            return dict(missing)
        if reply.status_code == httpx.codes.CONFLICT and conflict is not None:
            return dict(conflict)
        if reply.is_error:
            raise ServiceFailed(
                f"Airflow answered {reply.status_code} to {method} {path}: {reply.text[:1000]}"
            )
        return dict(reply.json()) if reply.content else {}

    def _reply(self, method: str, path: str, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            is_last = time.monotonic() > deadline
            try:
                reply = self._client.request(method, path, **request)
                if not reply.is_server_error or is_last:
                    return reply
            except httpx.TransportError as error:
                if is_last:
                    raise ServiceFailed(
                        f"Airflow's API server at {self._address} does not answer ({type(error).__name__}); "
                        "`touchline status` says what runs, another `make run` takes up the work"
                    ) from error
            time.sleep(RETRY_SECONDS)


def airflow_of(settings: Settings) -> AirflowApi:
    """A client of the Airflow that these settings started."""
    port = settings.running_port(AIRFLOW_API, settings.airflow_port)
    return AirflowApi(f"http://{HOST}:{port}", USER, settings.secrets["airflow_admin"])


def _dag_run(found: Mapping[str, Any]) -> DagRun:
    changed_at = _latest(found, "queued_at", "start_date")
    return DagRun(found["dag_id"], found["dag_run_id"], found["state"], changed_at)


def _latest(found: Mapping[str, Any], *moments: str) -> datetime | None:
    return max((datetime.fromisoformat(found[name]) for name in moments if found[name]), default=None)


def _line(event: Any) -> str:
    if not isinstance(event, dict):
        return str(event)
    parts = [event.get("timestamp") or "", event.get("level") or "", str(event.get("event", ""))]
    lines = [" ".join(part for part in parts if part)]
    for failure in event.get("error_detail") or []:
        lines.append(f"{failure.get('exc_type')}: {failure.get('exc_value')}")
        lines += [
            f"  {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
            for frame in failure.get("frames", [])[-5:]
        ]
    return "\n".join(lines)
