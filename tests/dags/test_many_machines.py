"""What lets the parts of Airflow run on several machines: variables, passwords, queues, one code, the pod of a task."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

from composing import docker_compose
from deployed_code import refuse_other_code
from touchline.errors import CodeDiffers
from touchline.operations import names
from touchline.operations.airflow_settings import CREDENTIALS_OF_AIRFLOW, ROLES_OF_TASKS
from touchline.operations.code import code_digest
from touchline.settings import PROJECT_ROOT, Settings, inherited_environment

GIVEN = {
    "TOUCHLINE_DATABASE_URL": "postgresql://admin:secret@database.example:5432/postgres",
    "TOUCHLINE_MLFLOW_TRACKING_URI": "http://mlflow.example:5000",
    "TOUCHLINE_SANDBOX_URL": "http://sandbox.example:8999",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://airflow.example:8080/execution/",
    "AIRFLOW__CELERY__BROKER_URL": "redis://redis.example:6379/0",
}
COMPOSE = PROJECT_ROOT / "docker" / "compose.yaml"
POD = PROJECT_ROOT / "docker" / "kubernetes" / "worker_pod.yaml"


def execute(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    # Tests of DAGs say to Airflow where it is.
    others = {name: value for name, value in inherited_environment().items() if "AIRFLOW" not in name}
    variables = {**others, **GIVEN, "TOUCHLINE_HOME": str(home)}
    arguments = [sys.executable, "-m", "touchline.cli", "airflow", "exec", *command]
    return subprocess.run(arguments, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of a machine that was given the installation's passwords."""
    for name in (*CREDENTIALS_OF_AIRFLOW, *ROLES_OF_TASKS):
        assert Settings(home=tmp_path).secrets[name]
    return tmp_path


def test_a_process_that_joins_knows_the_others_and_no_administrator(home: Path):
    done = execute(home, sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    assert done.returncode == 0, done.stderr
    variables = json.loads(done.stdout)
    assert "admin:secret" not in done.stdout
    assert (
        variables.items()
        >= (GIVEN | {"TOUCHLINE_DATABASE_URL": "postgresql://database.example:5432/postgres"}).items()
    )
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == (
        f"postgresql+psycopg2://airflow:{Settings(home=home).secrets['airflow']}@database.example:5432/airflow"
    )
    assert variables["AIRFLOW__CORE__DAGS_FOLDER"] == str(PROJECT_ROOT / "dags")
    assert Path(variables["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]).is_relative_to(home)


def test_a_machine_without_the_passwords_makes_none(tmp_path: Path):
    done = execute(tmp_path, "airflow", "scheduler")
    assert done.returncode == 2
    told = " ".join(done.stderr.split())
    assert "copy or mount that folder" in told
    assert "TOUCHLINE_AIRFLOW_PASSWORD" in told
    assert not (tmp_path / "secrets").exists()


def test_a_program_that_is_none_is_refused_by_name(home: Path):
    done = execute(home, "aiflow", "scheduler")
    assert done.returncode == 2
    assert "there is no program 'aiflow'" in " ".join(done.stderr.split())


def test_a_cluster_does_not_begin_on_the_embedded_database(tmp_path: Path):
    variables = {**inherited_environment(), "TOUCHLINE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "touchline.cli", "airflow", "init"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "TOUCHLINE_DATABASE_URL is not set" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_task_has_a_queue_that_workers_are_told_to_take_from():
    bag = DagBag(PROJECT_ROOT / "dags", known_pools={"default_pool", *names.POOLS})
    queues = {dag_id: {task.task_id: task.queue for task in dag.tasks} for dag_id, dag in bag.dags.items()}
    assert {queue for tasks in queues.values() for queue in tasks.values()} == set(names.QUEUES)
    assert set(queues[names.COLLECT_ODDS].values()) == {names.COLLECT_QUEUE}
    assert set(queues[names.BUILD_WAREHOUSE].values()) == {names.BUILD_QUEUE}
    assert queues[names.TRAIN_MODELS]["train"] == queues[names.TUNE_MODELS]["tune"] == names.TRAIN_QUEUE
    assert set(queues[names.PREDICT_MATCHES].values()) == {names.PREDICT_QUEUE}
    assert set(queues[names.SETTLE_PREDICTIONS].values()) == {names.PREDICT_QUEUE}


@pytest.fixture
def on_a_cluster(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    return monkeypatch


def test_other_code_than_the_installations_is_refused_with_both_named(on_a_cluster: pytest.MonkeyPatch):
    on_a_cluster.setenv(f"AIRFLOW_VAR_{names.CODE_VARIABLE.upper()}", "0123456789abcdef")
    with pytest.raises(CodeDiffers, match="bring this machine to the release of the others") as refused:
        refuse_other_code()
    assert code_digest()[:12] in str(refused.value)
    assert "0123456789ab" in str(refused.value)


def test_the_installations_code_may_work_and_on_one_machine_nobody_asks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"AIRFLOW_VAR_{names.CODE_VARIABLE.upper()}", "of another release")
    refuse_other_code()
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv(f"AIRFLOW_VAR_{names.CODE_VARIABLE.upper()}", code_digest())
    refuse_other_code()


def test_the_pod_of_a_task_is_the_image_of_the_release_and_is_told_of_the_installation():
    run_task = ["python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-string", "{}"]
    pod = PodGenerator.construct_pod(
        dag_id="train_models", task_id="train", pod_id="train", try_number=1, kube_image="touchline:1", date=None,
        args=run_task, pod_override_object=None, base_worker_pod=PodGenerator.deserialize_model_file(str(POD)),
        namespace="football", scheduler_job_id="1",
    )  # fmt: skip
    (container,) = pod.spec.containers
    assert (container.image, container.args) == ("touchline:1", run_task)
    assert container.command[-3:] == ["touchline", "airflow", "exec"]
    assert container.env_from[0].config_map_ref.name == "touchline"
    assert {mount.mount_path for mount in container.volume_mounts} == {
        "/var/lib/touchline", "/var/lib/touchline/secrets",
    }  # fmt: skip
    assert pod.spec.security_context.run_as_non_root


def test_every_part_of_the_composed_cluster_is_told_the_same_and_one_knows_the_administrator():
    parts = composed("cluster")
    of_touchline = {name: part for name, part in parts.items() if part["image"] == "touchline"}
    assert set(of_touchline) == {
        "init", "airflow-api", "scheduler", "dag-processor", "triggerer", "worker", "mlflow", "api", "sandbox",
    }  # fmt: skip
    told = {name: dict(part["environment"]) for name, part in of_touchline.items() if name != "mlflow"}
    assert all(variables == told["init"] for variables in told.values())
    administrators = {
        name for name, part in of_touchline.items() if "database_url" in json.dumps(part.get("secrets", []))
    }
    assert administrators == {"init"}
    for name, part in parts.items():
        assert all(port["host_ip"] == "127.0.0.1" for port in part.get("ports", [])), name
        assert part["cap_drop"] == ["ALL"], name
        assert part["security_opt"] == ["no-new-privileges:true"], name
        assert part["read_only"], name


def test_every_secret_of_compose_is_a_file_that_make_secrets_makes():
    """Not one is an environment variable, which `docker inspect` would show."""
    declared = yaml.safe_load(COMPOSE.read_text())["secrets"]
    made = runpy.run_path(str(COMPOSE.with_name("make_secrets.py")))
    assert set(declared) == {*made["SECRETS"], made["CERTIFICATE"], made["KEY"]}
    assert all(each["file"] == f"./secrets/{name}" for name, each in declared.items())


def test_make_secrets_keeps_what_is_there_from_everybody_else(tmp_path: Path):
    program = tmp_path / "make_secrets.py"
    program.write_text(COMPOSE.with_name("make_secrets.py").read_text())
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "redis").write_text("given")
    (folder / "proxy_certificate").write_text("given")
    (folder / "proxy_key").write_text("given")
    for _ in range(2):
        done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("all secrets are there already")
    assert folder.stat().st_mode & 0o777 == 0o700
    kept = {path.name: path.read_text() for path in folder.iterdir()}
    assert (kept["redis"], kept["proxy_key"]) == ("given", "given")
    assert kept["access_redis"] == "redis://:given@redis:6379/1"
    assert kept["postgres"] in kept["database_url"]
    assert len({kept[name] for name in ("postgres", "grafana", "objects")}) == 3


def test_the_composed_laptop_is_one_container():
    assert set(composed("laptop")) == {"laptop"}


def test_what_watches_the_composed_cluster_asks_its_parts_and_publishes_on_loopback_alone():
    parts = composed("cluster", "monitoring")
    watching = {name: part for name, part in parts.items() if part["profiles"] == ["monitoring"]}
    assert {"exporter", "prometheus", "receivers", "alertmanager", "node-exporter"} <= watching.keys()
    for name, part in watching.items():
        assert all(port["host_ip"] == "127.0.0.1" for port in part.get("ports", [])), name
    # The exporter knows what every other part knows; whom to tell is nobody's business but Alertmanager's.
    assert watching["exporter"]["environment"] == parts["api"]["environment"]
    assert {name for name, part in parts.items() if "TOUCHLINE_NOTIFY_SMTP" in str(part)} == {"receivers"}
    for path in (COMPOSE.parent / "prometheus" / "targets").glob("*.yml"):
        for target in yaml.safe_load(path.read_text())[0]["targets"]:
            assert target.partition(":")[0] in parts, path


def composed(*profiles: str) -> dict[str, Any]:
    """The services of profiles, as compose understands them."""
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    command = [docker_compose(), "--file", str(COMPOSE), *chosen, "config"]
    done = subprocess.run(
        command,
        env={**os.environ, "TOUCHLINE_IMAGE": "touchline"},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(yaml.safe_load(done.stdout)["services"])
