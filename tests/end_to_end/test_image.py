"""The image is built and run for real: one container as a laptop, and a cluster of them, without any registry."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from composing import docker_compose
from touchline.operations import names, status
from touchline.settings import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

PROGRAMS = ("dockerd", "docker", "debootstrap")
FILES = ("docker/compose.yaml", "tests/compose_alone.yaml")
ENGINE_SECONDS = 60
STEP_SECONDS = 1200
# Plain Debian, if none is given.
BASE_IMAGE = os.environ.get("BASE_IMAGE", "")
VARIABLES = {
    "POSTGRES_PASSWORD": "of-postgres",
    "REDIS_PASSWORD": "of-redis",
    "POSTGRES_IMAGE": "touchline-postgres",
    "REDIS_IMAGE": "touchline-redis",
    "TOUCHLINE_IMAGE": "touchline",
}


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
        """Run docker-compose on the project's file and the one for engines without a bridge."""
        files = [part for name in FILES for part in ("--file", name)]
        return self.run("docker-compose", *files, *arguments, check=check)


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
        found.run(*build, "--file", "docker/Dockerfile", "--tag", "touchline", ".")
        for name in ("postgres", "redis"):
            found.run(*build, "--target", name, "--tag", f"touchline-{name}", "tests/stand_ins")
        yield found


def bootstrapped(found: Engine) -> str:
    """A base image that debootstrap made."""
    with tempfile.TemporaryDirectory(prefix="touchline-base-") as folder:
        root = Path(folder) / "root"
        found.run("debootstrap", "--variant=minbase", "bookworm", str(root), "http://deb.debian.org/debian")
        # What pip needs on this machine to reach an index, it needs in the image.
        for path in (Path("/etc/pip.conf"), Path("/etc/ssl/certs/ca-certificates.crt")):
            if path.exists():
                (root / path.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, root / path.relative_to("/"))
        found.run("sh", "-c", f"tar -C {root} -c . | docker import - touchline-base")
    return "touchline-base"


@contextmanager
def running(found: Engine, profile: str) -> Iterator[None]:
    try:
        found.compose("--profile", profile, "up", "--detach")
        yield
    finally:
        found.compose("--profile", profile, "down", "--volumes", "--timeout", "30")


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret(images: Engine):
    whoami = ("docker", "run", "--rm", "--network=none", "--entrypoint", "id", "touchline", "-u")
    assert images.run(*whoami).strip() == "10001"
    assert "0.1" in images.run("docker", "run", "--rm", "--network=none", "touchline", "version")
    listing = (
        "docker",
        "run",
        "--rm",
        "--network=none",
        "--entrypoint",
        "find",
        "touchline",
        "/var/lib/touchline",
    )
    assert set(images.run(*listing, "-type", "f").split()) <= {
        f"/var/lib/touchline/{name}" for name in (".bashrc", ".bash_logout", ".profile")
    }


def test_a_laptop_is_one_container_in_which_everything_runs(images: Engine):
    ask = ("exec", "--no-TTY", "laptop", "touchline", "--json", "status")
    with running(images, "laptop"):

        def states() -> set[str]:
            told = images.compose(*ask, check=False)
            return {service["state"] for service in json.loads(told)["services"]} if told else set()

        wait_until(lambda: states() == {"running"}, images)
        told = images.compose("exec", "--no-TTY", "laptop", "touchline", "--json", "doctor", check=False)
        checks = {check["subject"]: check["state"] for check in json.loads(told)["checks"]}
        assert checks["PostgreSQL"] == checks["migrations"] == checks[status.MLFLOW] == "ok"


def test_a_cluster_predicts_with_tasks_on_both_workers(images: Engine):
    with running(images, "cluster"):

        def count(database: str, query: str) -> int:
            command = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-d", database, "-tAc", query)
            told = images.compose(
                "exec", "--no-TTY", "--env", "PGPASSWORD=of-postgres", "postgres", *command, check=False
            )
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
        # In one network namespace they have one name.
        logged = images.compose("logs", "--no-color", "worker").splitlines()
        assert {re.sub(r".*?(worker-\d).*", r"\1", line) for line in logged if " succeeded in " in line} == {
            "worker-1",
            "worker-2",
        }
        late = "select count(*) from ledger.prediction where predicted_at >= kickoff_at"
        assert count("touchline_sandbox", late) == 0
        health = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/v1/health/live').status)"
        assert (
            images.compose("exec", "--no-TTY", "api", "/opt/touchline/.venv/bin/python", "-c", health).strip()
            == "200"
        )


def wait_until(condition: Callable[[], bool], found: Engine) -> None:
    deadline = time.monotonic() + STEP_SECONDS
    while not condition():
        assert time.monotonic() < deadline, found.compose("logs", "--tail", "40")[-12000:]
        time.sleep(3)
