"""The doctor: it checks what is installed, running, reachable, migrated and fresh, and advises what to do."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import psycopg

from touchline.clock import live_clock
from touchline.database import bootstrap, embedded
from touchline.database.engine import connect, open_url, rows, scalar
from touchline.errors import DatabaseUnavailable
from touchline.monitoring.shortfalls import find_shortfalls
from touchline.operations import names
from touchline.operations.check import Check, State, failure, guarded
from touchline.operations.service_checks import service_checks
from touchline.operations.sources import examine_sources
from touchline.settings import Settings

PACKAGES = ("apache-airflow", "dbt-postgres", "great-expectations", "lightgbm", "mlflow", "feast", "polars")
LEAST_FREE_BYTES = 5 * 2**30
# No run of a DAG may take longer; a backfill by hand may.
LONGEST_RUN = "3 hours"


@dataclass(frozen=True)
class DoctorReport:
    """All checks, in the order in which to repair them."""

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """True when nothing failed; what is degraded is told apart, and warnings do not count."""
        return not self._subjects("failed")

    @property
    def is_degraded(self) -> bool:
        """True when something that should be there is missing, whether everything works or not."""
        return bool(self._subjects("degraded"))

    @property
    def summary(self) -> str:
        """A sentence for each state that there is."""
        words: dict[State, str] = {"failed": "Not working", "degraded": "Degraded", "warning": "Worth a look"}
        told = [
            f"{word}: {', '.join(found)}."
            for state, word in words.items()
            if (found := self._subjects(state))
        ]
        if self.is_healthy and not self.is_degraded:
            told.insert(0, "Everything that must work does.")
        return " ".join(told)

    def _subjects(self, state: State) -> list[str]:
        return list(dict.fromkeys(check.subject for check in self.checks if check.state == state))


def examine(settings: Settings, as_of: datetime | None) -> DoctorReport:
    """Look at everything; never raises for what it finds.

    `as_of` (UTC) is what freshness is measured against; None where the clock does not answer stands for the last run's.
    """
    return DoctorReport(tuple(_checks(settings, as_of)))


def _checks(settings: Settings, present: datetime | None) -> Iterator[Check]:
    yield _python()
    yield _packages()
    yield _disk(settings)
    server = guarded("PostgreSQL", lambda: _server(settings), "start it with `touchline up`")
    yield server
    if server.state == "ok":
        yield guarded("migrations", lambda: _migrations(settings), "run `touchline database start`")
        as_of = present or _last_run(settings)
        yield guarded("warehouse", lambda: _warehouse(settings, as_of), "run `make run`")
        yield guarded("sources", lambda: _sources(settings, as_of), "run `touchline sources`")
        yield guarded("predictions", lambda: _predictions(settings, as_of), "run `make run`")
        yield guarded("pipeline", lambda: _pipeline(settings), "run `make run`")
        yield from _shortfalls(settings, as_of)
    yield from service_checks(settings, live_clock().as_of)


def _last_run(settings: Settings) -> datetime:
    """As of when the last run was (UTC), or the present where nothing has run or can be asked."""
    try:
        with connect(settings, "ingest") as connection:
            last = scalar(connection, "select max(as_of) from ops.pipeline_run where status = 'success'")
    # The migrations are a check of their own.
    except (DatabaseUnavailable, psycopg.Error):
        last = None
    return last or live_clock().as_of


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", "ok" if sys.version_info[:2] == (3, 11) else "failed", version, "use Python 3.11")


def _packages() -> Check:
    try:
        found = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    except importlib.metadata.PackageNotFoundError as error:
        return Check("packages", "failed", f"{error.name} is not installed", "run `make setup`")
    return Check("packages", "ok", ", ".join(found))


def _disk(settings: Settings) -> Check:
    folder = settings.home if settings.home.exists() else settings.home.parent
    free = shutil.disk_usage(folder).free
    finding = f"{free / 2**30:.0f} GiB free at {folder}"
    state: State = "ok" if free >= LEAST_FREE_BYTES else "warning"
    return Check("disk", state, finding, f"free some: {LEAST_FREE_BYTES // 2**30} GiB hold all real seasons")


def _server(settings: Settings) -> Check:
    kind = "given by TOUCHLINE_DATABASE_URL"
    if settings.database_url is None:
        kind = "embedded"
        if not embedded.is_running(settings):
            return Check("PostgreSQL", "failed", "the embedded server is not running", "run `touchline up`")
    with open_url(settings.admin_url) as connection:
        version = connection.info.parameter_status("server_version")
    return Check("PostgreSQL", "ok", f"{version}, {kind}, at {settings.admin_url.rpartition('@')[2]}")


def _migrations(settings: Settings) -> Check:
    current, newest = bootstrap.revisions(settings)
    state: State = "ok" if current == newest else "failed"
    return Check("migrations", state, f"at {current}, newest is {newest}", "run `touchline database start`")


def _warehouse(settings: Settings, as_of: datetime) -> Check:
    with connect(settings, "ingest") as connection:
        (found,) = rows(
            connection,
            "select count(*) as n_payloads, max(observed_at) as observed_at, "
            "(select is_simulated from ops.world) as is_simulated, "
            "(select count(*) from landing.payload left join landing.payload_parsed using (payload_id) "
            " where payload_parsed.payload_id is null) as n_unparsed from landing.payload",
        )
    if not found["n_payloads"]:
        return Check("landing", "warning", "empty", "run `make run`, or `touchline collect`")
    kind = "simulated" if found["is_simulated"] else "real"
    finding = (
        f"{found['n_payloads']} payloads of {kind} football, the newest {_age(found['observed_at'], as_of)}"
    )
    if found["n_unparsed"]:
        return Check(
            "landing",
            "warning",
            f"{finding}; {found['n_unparsed']} not parsed yet",
            "run `touchline collect`",
        )
    return Check("landing", "ok", finding)


def _sources(settings: Settings, as_of: datetime) -> Check:
    report = examine_sources(settings, as_of)
    used = [source for source in report.sources if source.state == "in use"]
    if not used:
        return Check("sources", "failed", "none in use", "set a key, or see config/sources.yaml")
    ill = [source for source in used if source.health != "healthy"]
    if not ill:
        return Check("sources", "ok", f"{', '.join(source.name for source in used)}: healthy")
    told = "; ".join(f"{source.name}: {source.health}, circuit {source.circuit}" for source in ill)
    return Check("sources", "warning", told, ill[0].advice or "run `touchline sources`")


def _predictions(settings: Settings, as_of: datetime) -> Check:
    with connect(settings, "model") as connection:
        (found,) = rows(
            connection,
            "select count(*) as n, max(predicted_at) as newest, count(distinct match_id) "
            "filter (where kickoff_at > %s) as n_upcoming from ledger.prediction",
            (as_of,),
        )
    if not found["n"]:
        return Check("predictions", "warning", "none yet", "run `make run`")
    age = _age(found["newest"], as_of)
    finding = f"{found['n']} in the ledger, {found['n_upcoming']} matches ahead, the newest {age}"
    return Check("predictions", "ok", finding)


def _pipeline(settings: Settings) -> Check:
    with connect(settings, "ingest") as connection:
        found = rows(
            connection,
            "select distinct on (step) step, status, "
            "status = 'running' and started_at < clock_timestamp() - %s::interval as stands_still "
            "from ops.pipeline_run where step not like 'backfill %%' order by step, started_at desc",
            (LONGEST_RUN,),
        )
    # What a verdict says is told as of now, by the function that it asks.
    steps = [row for row in found if row["step"].partition("/")[0] not in names.VERDICTS]
    failed = [row["step"] for row in steps if row["status"] == "failed"]
    if failed:
        return Check(
            "pipeline", "failed", f"last run failed: {', '.join(failed)}", "see the task's log in Airflow"
        )
    standing = [row["step"] for row in steps if row["stands_still"]]
    if standing:
        return Check(
            "pipeline", "failed", f"begun more than {LONGEST_RUN} ago and not ended: {', '.join(standing)}",
            "its process was killed: `make run` does it again",
        )  # fmt: skip
    return Check(
        "pipeline", "ok" if steps else "warning", f"{len(steps)} steps, none failed", "run `make run`"
    )


def _shortfalls(settings: Settings, as_of: datetime) -> Iterator[Check]:
    try:
        found = find_shortfalls(settings, as_of)
    # Any failure is itself the finding.
    except Exception as error:
        yield failure("shortfalls", error, "run `make run`")
        return
    if not found:
        finding = "every fixture ahead is predicted, no competition held, everything collected"
        yield Check("shortfalls", "ok", finding)
    for each in found:
        yield Check(each.kind, "degraded", each.message, each.what_to_do)


def _age(moment: datetime, as_of: datetime) -> str:
    hours = (as_of - moment).total_seconds() / 3600
    return f"{hours / 24:.1f} days old" if hours >= 48 else f"{max(hours, 0):.0f} hours old"
