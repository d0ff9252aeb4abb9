"""What the third phase does to an installation: kills, an outage, a restore, a rollback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from touchline.errors import TouchlineError
from touchline.operations import names, status
from touchline.operations.airflow_api import AirflowApi
from touchline.registry.models import champion_version, trained_versions
from touchline.registry.tracking import open_registry
from touchline.sandbox.faults import Fault, switch_fault
from touchline.staging.installation import LOOK_SECONDS, Installation, await_rest

RECOVERY_SECONDS: Final = 300.0
# What was killed has to be missed before it can be back.
MISSED_SECONDS: Final = 1.0
# So long is a task waited for, to be killed.
TASK_SECONDS: Final = 20.0
# Each service, and two of the tasks.
KILLED: Final = (
    status.API, status.POSTGRES, status.SCHEDULER, "a task", status.AIRFLOW_API, status.MLFLOW, status.DAG_PROCESSOR,
    status.TRIGGERER, status.WATCHDOG, status.SANDBOX, status.WAL_RECEIVER, "a task",
)  # fmt: skip
# Whose end readers of the API notice.
NOTICED_BY_READERS: Final = (status.API, status.POSTGRES)


@dataclass(frozen=True)
class Done:
    """What was done: `kind` is kill, outage, restore or rollback; times are time.monotonic.

    `ended_at` is when everything was as it should be again, None when it never was. `is_noticed` says that readers of
    the API may notice it; `is_skipped`, with why in `note`, that it could not be done.
    """

    kind: str
    what: str
    began_at: float
    ended_at: float | None
    note: str = ""
    is_noticed: bool = False
    is_skipped: bool = False

    @property
    def seconds(self) -> float | None:
        """From its beginning until everything was as it should be again."""
        return None if self.ended_at is None else self.ended_at - self.began_at


# Done while the runs that are due go on.
Disturbance = Callable[[Installation, AirflowApi], Done]


def plan(hours: float) -> list[tuple[float, Disturbance]]:
    """The disturbances of a phase of so many hours, each with the hour after which it is done; an outage is a pair."""
    half = hours / 2
    kills = [(half * (place + 1) / (len(KILLED) + 1), _killing(what)) for place, what in enumerate(KILLED)]
    later = (
        (0.02, _source_away), (0.30, _source_back), (0.45, _restore), (0.75, _roll_back),
    )  # fmt: skip
    return [*kills, *((half + half * share, act) for share, act in later)]


def ended(begun: list[Done], end: Done) -> Iterator[Done]:
    """What was done, with an end joined to what it ends."""
    for each in begun:
        joins = each.kind == end.kind and each.ended_at is None
        yield replace(each, ended_at=end.ended_at) if joins else each


def _killing(what: str) -> Disturbance:
    def kill(installation: Installation, api: AirflowApi) -> Done:
        del api
        pid = _task_of(installation) if what == "a task" else installation.pid_of(what)
        began = time.monotonic()
        if pid is None:
            return Done("kill", what, began, began, "there was none to kill", is_skipped=True)
        os.kill(pid, signal.SIGKILL)
        time.sleep(MISSED_SECONDS)
        until = began + RECOVERY_SECONDS
        while not (is_well := installation.is_well) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        ended_at = time.monotonic() if is_well else None
        return Done("kill", what, began, ended_at, is_noticed=what in NOTICED_BY_READERS)

    return kill


def _task_of(installation: Installation) -> int | None:
    until = time.monotonic() + TASK_SECONDS
    while time.monotonic() < until:
        if at_work := installation.tasks():
            return int(at_work[0].pid)
        time.sleep(LOOK_SECONDS)
    return None


def _source_away(installation: Installation, api: AirflowApi) -> Done:
    del api
    if not installation.settings.is_simulated:
        now = time.monotonic()
        note = "only sources of the simulated world can be told to fail"
        return Done("outage", "every source answers with errors", now, now, note, is_skipped=True)
    switch_fault(installation.settings.sandbox_address, Fault.SERVER_ERRORS, 1.0)
    return Done("outage", "every source answers with errors", time.monotonic(), None)


def _source_back(installation: Installation, api: AirflowApi) -> Done:
    del api
    if installation.settings.is_simulated:
        switch_fault(installation.settings.sandbox_address, "none", 0.0)
    now = time.monotonic()
    return Done("outage", "every source answers with errors", now, now)


def _restore(installation: Installation, api: AirflowApi) -> Done:
    """Have the DAGs take a backup, restore it into a server of its own, and compare every table."""
    began = time.monotonic()
    for dag_id in (names.BACK_UP, names.CHECK_BACKUP):
        run = api.trigger(dag_id, {})
        await_rest(api)
        if (state := api.run(run).state) != "success":
            return Done("restore", dag_id, began, None, f"{dag_id} ended as {state}")
    told = installation.must("backup", "--list")
    return Done("restore", names.CHECK_BACKUP, began, time.monotonic(), f"{told.count('full')} backups")


def _roll_back(installation: Installation, api: AirflowApi) -> Done:
    """Make another version the champion by hand, as an operator may who regrets it, and take that back."""
    del api
    began = time.monotonic()
    registry = open_registry(installation.settings)
    champion = champion_version(registry)
    others = [each for each in trained_versions(registry) if each.version != champion]
    if not others:
        note = "there is one version only, so none to go back to"
        return Done("rollback", "champion", began, began, note, is_skipped=True)
    newest = max(others, key=lambda each: each.as_of).version
    done = _by_command("rollback", installation, [("models", "promote", newest), ("rollback", "model")])
    after = champion_version(registry)
    if done.ended_at is not None and after != champion:
        return replace(done, ended_at=None, note=f"version {champion} was champion, now it is {after}")
    return done


def _by_command(kind: str, installation: Installation, commands: list[tuple[str, ...]]) -> Done:
    began = time.monotonic()
    what = ", ".join(" ".join(each) for each in commands)
    try:
        for command in commands:
            installation.must(*command)
    except TouchlineError as error:
        return Done(kind, what, began, None, str(error))
    return Done(kind, what, began, time.monotonic())
