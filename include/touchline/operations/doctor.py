"""The doctor: it checks what is installed, running, reachable, migrated and fresh, and advises what to do."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import httpx

from touchline.database import bootstrap, embedded
from touchline.database.engine import connect, open_url, rows
from touchline.operations.sources import examine_sources
from touchline.settings import Settings

State = Literal["ok", "warning", "failed"]
PACKAGES = ("apache-airflow", "dbt-postgres", "great-expectations", "lightgbm", "mlflow", "feast", "polars")
LEAST_FREE_BYTES = 5 * 2**30
HEALTH = {
    "airflow-api": ("airflow_port", "/api/v2/monitor/health"),
    "mlflow": ("mlflow_port", "/health"),
    "api": ("api_port", "/v1/health/live"),
}


@dataclass(frozen=True)
class Check:
    """One check; `advice` says what to do unless the state is ok."""

    subject: str
    state: State
    finding: str
    advice: str = ""


@dataclass(frozen=True)
class DoctorReport:
    """All checks, in the order in which to repair them."""

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """True when nothing failed; warnings do not count."""
        return all(check.state != "failed" for check in self.checks)

    @property
    def summary(self) -> str:
        """One sentence."""
        failed = [check.subject for check in self.checks if check.state == "failed"]
        return "Everything that must work does." if not failed else f"Not working: {', '.join(failed)}."


def examine(settings: Settings, as_of: datetime) -> DoctorReport:
    """Look at everything; `as_of` (UTC) is what freshness is measured against. Never raises for what it finds."""
    return DoctorReport(tuple(_checks(settings, as_of)))


def _checks(settings: Settings, as_of: datetime) -> Iterator[Check]:
    yield _python()
    yield _packages()
    yield _disk(settings)
    server = _guarded("PostgreSQL", lambda: _server(settings), "start it with `touchline up`")
    yield server
    if server.state == "ok":
        yield _guarded("migrations", lambda: _migrations(settings), "run `touchline database start`")
        yield _guarded("warehouse", lambda: _warehouse(settings, as_of), "run `make run`")
        yield _guarded("sources", lambda: _sources(settings, as_of), "run `touchline sources`")
        yield _guarded("predictions", lambda: _predictions(settings, as_of), "run `make run`")
        yield _guarded("pipeline", lambda: _pipeline(settings), "run `make run`")
    for service, (port, path) in HEALTH.items():
        yield _service(service, settings.running_port(service, getattr(settings, port)), path)


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
            "select distinct on (step) step, status, detail from ops.pipeline_run order by step, started_at desc",
        )
    failed = [row["step"] for row in found if row["status"] == "failed"]
    if failed:
        return Check(
            "pipeline", "failed", f"last run failed: {', '.join(failed)}", "see the task's log in Airflow"
        )
    return Check(
        "pipeline", "ok" if found else "warning", f"{len(found)} steps, none failed", "run `make run`"
    )


def _service(service: str, port: int, path: str) -> Check:
    address = f"http://127.0.0.1:{port}"
    try:
        status = httpx.get(f"{address}{path}", timeout=3).status_code
    except httpx.TransportError:
        return Check(service, "warning", f"not running at {address}", "run `touchline up`")
    state: State = "ok" if status == httpx.codes.OK else "failed"
    return Check(service, state, f"{address} answers {status}", f"see the log of {service}")


def _guarded(subject: str, check: Callable[[], Check], advice: str) -> Check:
    try:
        return check()
    # Any failure is itself the finding.
    except Exception as error:
        return Check(subject, "failed", f"{type(error).__name__}: {error}".splitlines()[0], advice)


def _age(moment: datetime, as_of: datetime) -> str:
    hours = (as_of - moment).total_seconds() / 3600
    return f"{hours / 24:.1f} days old" if hours >= 48 else f"{max(hours, 0):.0f} hours old"
