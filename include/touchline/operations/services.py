"""Touchline's services on one machine: what each is, in which order they start, where they answer."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final

from psycopg import sql

from touchline.database import bootstrap
from touchline.database.engine import Connection, open_url, scalar, sqlalchemy_url
from touchline.operations import monitoring_services, status
from touchline.operations.airflow_command import run_airflow
from touchline.operations.airflow_settings import QUIET, airflow_variables
from touchline.operations.code import code_digest
from touchline.settings import PROJECT_ROOT, Settings, inherited_environment
from touchline.supervision.programs import Program, port_for, program_of, read_program
from touchline.supervision.supervisor import await_health, ensure_program, run_programs, stop_programs

Told = Callable[[str], None]
# The tables of Airflow's metadata that the queries of touchline.exporter read.
READ_OF_AIRFLOW: Final = ("asset_dag_run_queue", "job", "slot_pool", "task_instance")


def ensure_source(settings: Settings) -> None:
    """Start the sandbox if the settings ask for the simulated world and it does not run yet."""
    if settings.is_simulated and settings.sandbox_url is None:
        ensure_program(settings.home, _sandbox(settings))


def ensure_mlflow(settings: Settings) -> None:
    """Start the MLflow server if the settings name no other and it does not run yet."""
    if settings.mlflow_tracking_uri is None:
        ensure_program(settings.home, _mlflow(settings))


def start_all(settings: Settings, on_progress: Told = lambda _: None) -> list[str]:
    """Have every service run, with these settings and this code; wait until all answer.

    `on_progress` is told what is being waited for. Returns the names of those that were started. Raises
    ServiceFailed or DatabaseUnavailable.
    """
    on_progress("PostgreSQL")
    bootstrap.prepare(settings)
    programs = list(_programs(settings))
    of_airflow = (status.AIRFLOW_API, status.SCHEDULER, status.DAG_PROCESSOR, status.TRIGGERER)
    # They begin while Airflow's database is made.
    started = run_programs(settings.home, [program for program in programs if program.name not in of_airflow])
    on_progress("Airflow's database")
    migrate_airflow(settings)
    database = read_program(settings.home, status.POSTGRES) if settings.database_url is None else None
    programs += monitoring_services.those_that_run(settings)
    started += run_programs(settings.home, [*([database] if database else []), *programs], only=True)
    for program in programs:
        on_progress(program.name)
        await_health(settings.home, program)
    return started


def stop_all(settings: Settings) -> list[str]:
    """Stop every service, the embedded database last; returns the names of those that ran."""
    return stop_programs(settings.home)


def migrate_airflow(settings: Settings) -> None:
    """Bring Airflow's database to the installed version, and let the exporter read its part; quick when all is done.

    Raises ServiceFailed with Airflow's output.
    """
    _bring_to_version(settings)
    with _airflow_database(settings) as connection:
        for table in READ_OF_AIRFLOW:
            connection.execute(
                sql.SQL("grant select on {} to touchline_metrics").format(sql.Identifier("public", table))
            )


def _bring_to_version(settings: Settings) -> None:
    stamp = settings.home / "airflow" / "migrated.json"
    (settings.home / "airflow").mkdir(parents=True, exist_ok=True)
    version = {"airflow": importlib.metadata.version("apache-airflow"), "revision": _revision(settings)}
    if stamp.exists() and json.loads(stamp.read_text()) == version:
        return
    variables = {**inherited_environment(), **airflow_variables(settings, settings.airflow_port)}
    run_airflow(variables, "db", "migrate")
    stamp.write_text(json.dumps({**version, "revision": _revision(settings)}))


def _airflow_database(settings: Settings) -> AbstractContextManager[Connection]:
    return open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow"))


def _revision(settings: Settings) -> str | None:
    with _airflow_database(settings) as connection:
        if scalar(connection, "select to_regclass('public.alembic_version')") is None:
            return None
        return str(scalar(connection, "select version_num from public.alembic_version"))


def _programs(settings: Settings) -> Iterator[Program]:
    yield _watchdog(settings)
    if settings.is_simulated and settings.sandbox_url is None:
        yield _sandbox(settings)
    if settings.mlflow_tracking_uri is None:
        yield _mlflow(settings)
    airflow_port = port_for(settings.home, status.AIRFLOW_API, settings.airflow_port)
    yield _program(
        settings,
        status.AIRFLOW_API,
        ["-m", "airflow", "api-server", "--host", settings.bind_host, "--port", str(airflow_port)],
        airflow_variables(settings, airflow_port),
        port=airflow_port,
        health="/api/v2/version",
        fingerprint=code_digest(),
    )
    # Without their log servers, which listen on every address; the API server reads the same folder.
    for name, command, own in (
        (status.SCHEDULER, ["scheduler", "--skip-serve-logs"], _sleepless()),
        (status.DAG_PROCESSOR, ["dag-processor"], {}),
        (status.TRIGGERER, ["triggerer", "--skip-serve-logs"], {}),
    ):
        yield _program(
            settings,
            name,
            ["-m", "airflow", *command],
            {**airflow_variables(settings, airflow_port), **own},
            fingerprint=code_digest(),
        )
    yield _api(settings)
    if settings.backup.folder is not None:
        yield _wal_receiver(settings)


def _sleepless() -> Mapping[str, str]:
    """The scheduler does not sleep between two looks while our own executor does (plugins/crash_only_executor.py)."""
    is_ours = "AIRFLOW__CORE__EXECUTOR" not in inherited_environment()
    return {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.01"} if is_ours else {}


def _watchdog(settings: Settings) -> Program:
    variables = {
        **settings.model_copy(update={"lineage_url": None, "mlflow_tracking_uri": None}).environment(),
        **settings.passwords("watchdog"),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }
    arguments = ["-m", "touchline.database.watchdog"]
    return _program(settings, status.WATCHDOG, arguments, variables, fingerprint=code_digest())


def _wal_receiver(settings: Settings) -> Program:
    variables = {
        **settings.environment(), **settings.backup.environment(), **settings.passwords("backup"),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }  # fmt: skip
    return _program(
        settings,
        status.WAL_RECEIVER,
        ["-m", "touchline.backup.receive"],
        variables,
        fingerprint=code_digest(),
    )


def _sandbox(settings: Settings) -> Program:
    port = port_for(settings.home, status.SANDBOX, settings.sandbox_port)
    return _program(
        settings,
        status.SANDBOX,
        [
            "-m", "touchline.sandbox", "--host", settings.bind_host, "--port", str(port),
            "--seed", str(settings.sandbox_seed), "--home", str(settings.home),
        ],
        {"TOUCHLINE_HOME": str(settings.home), "PYTHONPATH": str(PROJECT_ROOT / "include")},
        port=port,
        health="/clock",
        needs_database=False,
    )  # fmt: skip


def _mlflow(settings: Settings) -> Program:
    database = settings.url_for("mlflow", settings.secrets["mlflow"], "mlflow")
    port = port_for(settings.home, status.MLFLOW, settings.mlflow_port)
    return _program(
        settings,
        status.MLFLOW,
        ["-m", "mlflow", "server", "--host", settings.bind_host, "--port", str(port), "--workers", "1"],
        # The job machinery would be ten more processes and 1.5 GiB.
        {
            **QUIET,
            "TOUCHLINE_HOME": str(settings.home),
            "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(database),
            "MLFLOW_ARTIFACTS_DESTINATION": str(settings.home / "mlflow"),
            "MLFLOW_SERVE_ARTIFACTS": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        port=port,
        health="/health",
    )


def _api(settings: Settings) -> Program:
    port = port_for(settings.home, status.API, settings.api_port)
    return _program(
        settings,
        status.API,
        ["-m", "touchline.serving"],
        {
            **QUIET,
            # An address that may hold a password, of a server to which the API has nothing to tell.
            **settings.model_copy(update={"lineage_url": None}).environment(),
            **settings.access.environment(),
            **settings.passwords("api", "access"),
            "TOUCHLINE_API_PORT": str(port),
            "PYTHONPATH": str(PROJECT_ROOT / "include"),
        },
        port=port,
        health="/v1/health/live",
        fingerprint=code_digest(),
    )


def _program(
    settings: Settings,
    name: str,
    arguments: list[str],
    variables: Mapping[str, str],
    *,
    port: int = 0,
    health: str | None = None,
    needs_database: bool = True,
    fingerprint: str = "",
) -> Program:
    return program_of(
        settings.home, name, [sys.executable, *arguments], variables, inherited_environment(), port=port,
        health=health, needs=[settings.server_url] if needs_database else [], fingerprint=fingerprint,
    )  # fmt: skip
