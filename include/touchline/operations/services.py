"""Touchline's services on one machine: what each is, in which order they start, where they answer."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from touchline.database import bootstrap, embedded
from touchline.database.engine import open_url, scalar, sqlalchemy_url
from touchline.errors import ServiceFailed
from touchline.operations import processes
from touchline.operations.airflow_settings import QUIET, airflow_variables
from touchline.operations.code import code_digest
from touchline.operations.processes import HOST, Program, Running
from touchline.operations.status import (
    AIRFLOW_API,
    API,
    DAG_PROCESSOR,
    MLFLOW,
    SANDBOX,
    SCHEDULER,
    SERVICES,
    WATCHDOG,
)
from touchline.settings import PROJECT_ROOT, Settings, inherited_environment

Told = Callable[[str], None]


def ensure_source(settings: Settings) -> None:
    """Start the sandbox if the settings ask for the simulated world and it does not run yet."""
    if settings.is_simulated:
        _start(settings, _sandbox(settings))


def ensure_mlflow(settings: Settings) -> None:
    """Start the MLflow server if the settings name no other and it does not run yet."""
    if settings.mlflow_tracking_uri is None:
        _start(settings, _mlflow(settings))


def start_all(settings: Settings, on_progress: Told = lambda _: None) -> list[str]:
    """Start every service that does not run yet, or runs with other settings or code; wait until all answer.

    `on_progress` is told what is being waited for. Returns the names of those that were started. Raises
    ServiceFailed or DatabaseUnavailable.
    """
    on_progress("PostgreSQL")
    if settings.database_url is None and not embedded.is_running(settings):
        _stop_what_lost_its_database(settings)
    bootstrap.prepare(settings)
    before = {name: processes.find(settings.home, name) for name in SERVICES}
    launched: list[tuple[Program, Running]] = []

    def launch(program: Program) -> Running:
        running = processes.launch(settings.home, program)
        launched.append((program, running))
        return running

    launch(_watchdog(settings))
    if settings.is_simulated:
        launch(_sandbox(settings))
    else:
        processes.stop(settings.home, SANDBOX)
    if settings.mlflow_tracking_uri is None:
        launch(_mlflow(settings))
    else:
        processes.stop(settings.home, MLFLOW)
    on_progress("Airflow's database")
    migrate_airflow(settings)
    airflow_api = launch(_airflow_api(settings))
    for program in _airflow_workers(settings, airflow_api.port):
        launch(program)
    launch(_api(settings))
    for program, running in launched:
        on_progress(program.name)
        processes.await_health(settings.home, program, running)
    return [running.name for _, running in launched if running != before[running.name]]


def _stop_what_lost_its_database(settings: Settings) -> None:
    """Airflow and the rest outlive a killed server by seconds: they would look alive and die half-way through a run."""
    _stop(settings, [name for name in SERVICES if name != SANDBOX])


def stop_all(settings: Settings) -> list[str]:
    """Stop every service, the embedded database last; returns the names of those that ran."""
    stopped = _stop(settings, SERVICES)
    if settings.database_url is None and embedded.is_running(settings):
        embedded.stop(settings)
        stopped.append("postgres")
    return stopped


def _stop(settings: Settings, names: Sequence[str]) -> list[str]:
    with ThreadPoolExecutor(len(names)) as pool:
        ran = pool.map(lambda name: processes.stop(settings.home, name), names)
    return [name for name, was_running in zip(names, ran, strict=True) if was_running]


def migrate_airflow(settings: Settings) -> None:
    """Bring Airflow's database to the installed version; nothing to do (and quick) when it is there already.

    Raises ServiceFailed with Airflow's output.
    """
    stamp = settings.home / "airflow" / "migrated.json"
    (settings.home / "airflow").mkdir(parents=True, exist_ok=True)
    version = {"airflow": importlib.metadata.version("apache-airflow"), "revision": _revision(settings)}
    if stamp.exists() and json.loads(stamp.read_text()) == version:
        return
    result = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env={**inherited_environment(), **airflow_variables(settings, settings.airflow_port)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise ServiceFailed(f"`airflow db migrate` failed:\n{(result.stdout + result.stderr)[-3000:]}")
    stamp.write_text(json.dumps({**version, "revision": _revision(settings)}))


def _start(settings: Settings, program: Program) -> None:
    processes.await_health(settings.home, program, processes.launch(settings.home, program))


def _revision(settings: Settings) -> str | None:
    with open_url(settings.url_for("airflow", settings.secrets["airflow"], "airflow")) as connection:
        if scalar(connection, "select to_regclass('public.alembic_version')") is None:
            return None
        return str(scalar(connection, "select version_num from public.alembic_version"))


def _watchdog(settings: Settings) -> Program:
    return Program(
        name=WATCHDOG,
        command=lambda _: [sys.executable, "-m", "touchline.database.watchdog"],
        variables=lambda _: {
            **settings.model_copy(update={"lineage_url": None, "mlflow_tracking_uri": None}).environment(),
            **settings.passwords("watchdog"),
            "PYTHONPATH": str(PROJECT_ROOT / "include"),
        },
        is_healthy=lambda _: True,
        fingerprint=code_digest(),
    )


def _sandbox(settings: Settings) -> Program:
    return Program(
        name=SANDBOX,
        command=lambda port: [
            sys.executable, "-m", "touchline.sandbox", "--host", settings.bind_host, "--port", str(port),
            "--seed", str(settings.sandbox_seed), "--home", str(settings.home),
        ],
        variables=lambda _: {"TOUCHLINE_HOME": str(settings.home), "PYTHONPATH": str(PROJECT_ROOT / "include")},
        is_healthy=_answers("/clock"),
        preferred_port=settings.sandbox_port,
    )  # fmt: skip


def _mlflow(settings: Settings) -> Program:
    database = settings.url_for("mlflow", settings.secrets["mlflow"], "mlflow")
    return Program(
        name=MLFLOW,
        command=lambda port: [
            sys.executable, "-m", "mlflow", "server", "--host", settings.bind_host, "--port", str(port),
            "--workers", "1",
        ],
        # The job machinery would be ten more processes and 1.5 GiB.
        variables=lambda _: {
            **QUIET,
            "TOUCHLINE_HOME": str(settings.home),
            "MLFLOW_BACKEND_STORE_URI": sqlalchemy_url(database),
            "MLFLOW_ARTIFACTS_DESTINATION": str(settings.home / "mlflow"),
            "MLFLOW_SERVE_ARTIFACTS": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        is_healthy=_answers("/health"),
        preferred_port=settings.mlflow_port,
    )  # fmt: skip


def _api(settings: Settings) -> Program:
    return Program(
        name=API,
        command=lambda _: [sys.executable, "-m", "touchline.serving"],
        variables=lambda port: {
            **QUIET,
            # An address that may hold a password, of a server to which the API has nothing to tell.
            **settings.model_copy(update={"lineage_url": None}).environment(),
            **settings.passwords("api"),
            "TOUCHLINE_API_PORT": str(port),
            "PYTHONPATH": str(PROJECT_ROOT / "include"),
        },
        is_healthy=_answers("/v1/health/live"),
        preferred_port=settings.api_port,
        fingerprint=code_digest(),
    )


def _airflow_api(settings: Settings) -> Program:
    return Program(
        name=AIRFLOW_API,
        command=lambda port: [
            sys.executable, "-m", "airflow", "api-server", "--host", settings.bind_host, "--port", str(port),
        ],
        variables=lambda port: airflow_variables(settings, port),
        is_healthy=_answers("/api/v2/version"),
        preferred_port=settings.airflow_port,
        fingerprint=code_digest(),
    )  # fmt: skip


def _airflow_workers(settings: Settings, api_port: int) -> Iterator[Program]:
    # Without its log server, which listens on every address; the API server reads the same folder.
    commands = {SCHEDULER: ["scheduler", "--skip-serve-logs"], DAG_PROCESSOR: ["dag-processor"]}
    for name, arguments in commands.items():
        yield Program(
            name=name,
            command=lambda _, arguments=arguments: [sys.executable, "-m", "airflow", *arguments],  # type: ignore[misc]
            variables=lambda _: airflow_variables(settings, api_port),
            is_healthy=lambda _: True,
            fingerprint=code_digest(),
        )


def _answers(path: str) -> Callable[[int], bool]:
    def is_healthy(port: int) -> bool:
        try:
            return httpx.get(f"http://{HOST}:{port}{path}", timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    return is_healthy
