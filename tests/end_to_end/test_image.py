"""The image is built and run for real, without any registry: a laptop, and a cluster that is rolled back under load."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from composing import docker_compose
from touchline.operations import names, status
from touchline.settings import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

PROGRAMS = ("dockerd", "docker", "debootstrap")
COMPOSE = "docker/compose.yaml"
ENGINE_SECONDS = 60
STEP_SECONDS = 1200
# Plain Debian, if none is given.
BASE_IMAGE = os.environ.get("BASE_IMAGE", "")
# Debian's programs in place of images that cannot be pulled.
STAND_INS = (
    "postgres", "redis", "proxy", "objects", "prometheus", "alertmanager", "node-exporter", "kafka",
)  # fmt: skip
VARIABLES = {
    **{f"{name.upper().replace('-', '_')}_IMAGE": f"touchline-{name}" for name in STAND_INS},
    "TOUCHLINE_IMAGE": "touchline:new",
}
PROFILES = ("--profile", "cluster", "--profile", "monitoring", "--profile", "streaming")
# No image of Grafana can be made of Debian's packages.
LEFT_OUT = ("--scale", "grafana=0")
READERS = 8
# Of a rollback, and of the requests during it.
MOST_SECONDS = 60
MOST_FAILED = 1e-4


@dataclass(frozen=True)
class Engine:
    """A Docker engine, and what its programs are told."""

    variables: dict[str, str]

    def run(self, *command: str, check: bool = True) -> str:
        """Run a program that asks the engine, at the root of the project; returns what it says."""
        variables = {**os.environ, **VARIABLES, **self.variables}
        done = subprocess.run(command, env=variables, cwd=PROJECT_ROOT, capture_output=True, check=False)
        told = done.stdout.decode(errors="replace")
        assert not check or done.returncode == 0, told[-3000:] + done.stderr.decode(errors="replace")[-6000:]
        return told

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Run docker-compose on the project's file."""
        return self.run("docker-compose", "--file", COMPOSE, *arguments, check=check)


@contextmanager
def engine() -> Iterator[Engine]:
    """The engine that answers already, or one of our own; a skip that says why where none can run."""
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        pytest.skip(f"no {', '.join(missing)} on this machine: apt-get install docker.io debootstrap")
    docker_compose()
    there = subprocess.run(["docker", "info"], capture_output=True, check=False)
    if there.returncode == 0:
        yield Engine({})
        return
    if os.geteuid() != 0:
        pytest.skip("no Docker engine answers, and only root can start one")
    folder = Path(tempfile.mkdtemp(prefix="touchline-engine-"))
    address = f"unix://{folder}/docker.sock"
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [
                "dockerd", "--bridge=none", "--iptables=false", "--host", address, "--data-root", str(folder / "data"),
                "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid"),
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
    found = Engine({"DOCKER_HOST": address})
    try:
        deadline = time.monotonic() + ENGINE_SECONDS
        while not found.run("docker", "info", check=False).strip():
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"no Docker engine can run here: {(folder / 'log').read_text()[-1000:]}")
            time.sleep(1)
        yield found
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def images() -> Iterator[Engine]:
    """An engine with the image, and stand-ins for those of PostgreSQL and Redis."""
    with engine() as found:
        base = BASE_IMAGE or bootstrapped(found)
        build = ("docker", "build", "--network=host", "--build-arg", f"BASE_IMAGE={base}")
        # Two releases of the same code.
        for tag in ("old", "new"):
            labelled = ("--build-arg", f"VERSION={tag}", "--file", "docker/Dockerfile")
            found.run(*build, *labelled, "--tag", f"touchline:{tag}", ".")
        for name in STAND_INS:
            found.run(*build, "--target", name, "--tag", f"touchline-{name}", "tests/stand_ins")
        found.run("make", "secrets")
        yield found


def bootstrapped(found: Engine) -> str:
    """A base image that debootstrap made."""
    with tempfile.TemporaryDirectory(prefix="touchline-base-") as folder:
        root = Path(folder) / "root"
        found.run("debootstrap", "--variant=minbase", "bookworm", str(root), "http://deb.debian.org/debian")
        # What pip trusts on this machine to reach an index, it trusts in the image.
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():
            kept = root / "usr/local/share/ca-certificates/machine.crt"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(authorities, kept)
        found.run("sh", "-c", f"tar -C {root} -c . | docker import - touchline-base")
    return "touchline-base"


@contextmanager
def running(found: Engine, *profiles: str) -> Iterator[None]:
    try:
        found.compose(*profiles, "up", "--detach", *(LEFT_OUT if "monitoring" in profiles else ()))
        yield
    finally:
        found.compose(*profiles, "down", "--volumes", "--timeout", "30")


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret(images: Engine):
    def within(*command: str) -> str:
        entry = ("docker", "run", "--rm", "--read-only", "--network=none", "--entrypoint", command[0])
        return images.run(*entry, "touchline:new", *command[1:], check=False)

    assert within("id", "-u").strip() == "10001"
    assert "0.1" in within("touchline", "version")
    assert set(within("find", "/var/lib/touchline", "-type", "f").split()) <= {
        f"/var/lib/touchline/{name}" for name in (".bashrc", ".bash_logout", ".profile")
    }
    assert not within("sh", "-c", "command -v pip pip3 uv gcc make; ls /var/lib/apt/lists").strip()
    label = '{{index .Config.Labels "org.opencontainers.image.version"}}'
    assert images.run("docker", "image", "inspect", "--format", label, "touchline:new").strip() == "new"


def test_a_laptop_is_one_container_in_which_everything_runs(images: Engine):
    ask = ("exec", "--no-TTY", "laptop", "touchline", "--json", "status")
    with running(images, "--profile", "laptop"):

        def states() -> set[str]:
            told = images.compose(*ask, check=False)
            return {service["state"] for service in json.loads(told)["services"]} if told else set()

        wait_until(lambda: states() == {"running"}, images)
        told = images.compose("exec", "--no-TTY", "laptop", "touchline", "--json", "doctor", check=False)
        checks = {check["subject"]: check["state"] for check in json.loads(told)["checks"]}
        assert checks["PostgreSQL"] == checks["migrations"] == checks[status.MLFLOW] == "ok"
        told = images.compose("exec", "--no-TTY", "laptop", "touchline", "--json", "run")
        assert json.loads(told)["n_upcoming"] > 0


def test_a_cluster_predicts_with_tasks_on_both_workers_and_is_rolled_back_under_load(images: Engine):
    with running(images, *PROFILES):

        def count(database: str, query: str) -> int:
            command = (
                "PGPASSWORD=$(cat /run/secrets/postgres) "
                f'psql -h 127.0.0.1 -U postgres -d {database} -tAc "{query}"'
            )
            told = images.compose("exec", "--no-TTY", "postgres", "sh", "-c", command, check=False)
            return int(told.strip() or 0)

        def trigger(dag_id: str) -> None:
            command = ("touchline", "airflow", "exec", "airflow", "dags", "trigger", dag_id)
            images.compose("exec", "--no-TTY", "airflow-api", *command)

        dags = f"select count(*) from dag where not is_stale and dag_id = '{names.TRAIN_MODELS}'"
        wait_until(lambda: count("airflow", dags) == 1, images)
        unfinished = (
            "select (select count(*) from dag_run where state in ('queued', 'running')) + "
            "(select count(*) from asset_dag_run_queue)"
        )
        for dag_id in (names.COLLECT_FIXTURES, names.COLLECT_ODDS, names.COLLECT_SCORES, names.TRAIN_MODELS):
            trigger(dag_id)
            wait_until(lambda: count("airflow", unfinished) == 0, images)
        shown = "select count(*) from analytics.upcoming_predictions"
        assert count("touchline_sandbox", shown) > 0
        logged = images.compose("logs", "--no-color", "worker").splitlines()
        assert {re.sub(r".*?(worker-\d).*", r"\1", line) for line in logged if " succeeded in " in line} == {
            "worker-1",
            "worker-2",
        }
        late = "select count(*) from ledger.prediction where predicted_at >= kickoff_at"
        assert count("touchline_sandbox", late) == 0
        readers = Readers()
        with readers.reading():
            told = json.loads(
                images.run(sys.executable, "-m", "touchline.cli", "--json", "rollback", "image")
            )
        assert (told["image"], told["before"]) == ("touchline:old", "touchline:new")
        assert told["seconds"] < MOST_SECONDS
        assert readers.n_answered > 0
        assert len(readers.failed) <= MOST_FAILED * readers.n_answered, readers.failed[:5]
        shown = images.compose("ps", "--format", "json", "api", "scheduler", "worker")
        assert "touchline:old" in shown
        assert "touchline:new" not in shown


@dataclass
class Readers:
    """Ask the API through the proxy, each on a connection of its own, and keep every failure."""

    n_answered: int = 0
    failed: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator[None]:
        is_over = threading.Event()
        threads = [threading.Thread(target=self._read, args=(is_over,)) for _ in range(READERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def _read(self, is_over: threading.Event) -> None:
        with httpx.Client(base_url="https://localhost:8443", verify=False, timeout=10) as client:
            while not is_over.is_set():
                try:
                    client.get("/v1/predictions/upcoming?limit=20").raise_for_status()
                    self.n_answered += 1
                except httpx.HTTPError as error:
                    self.failed.append(f"{type(error).__name__}: {error}")


def wait_until(condition: Callable[[], bool], found: Engine) -> None:
    deadline = time.monotonic() + STEP_SECONDS
    while not condition():
        assert time.monotonic() < deadline, found.compose("logs", "--tail", "40")[-12000:]
        time.sleep(3)
