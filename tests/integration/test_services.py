"""Processes that outlive the command that starts them: real ones."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from touchline.errors import ServiceFailed
from touchline.operations import processes, services, status
from touchline.operations.processes import Program, Running
from touchline.settings import Settings

SERVER = """
import http.server, sys
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""
# A leader whose child makes a process group of its own and shows no environment, as Airflow's renamed processes do.
FAMILY = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import os, time; os.setpgid(0, 0); time.sleep(600)"], env={})
time.sleep(600)
"""


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for state in (tmp_path / "run").glob("*.json"):
        processes.stop(tmp_path, state.stem, grace_seconds=0.2)


def web(home: Path, preferred_port: int = 0, fingerprint: str = "") -> Program:
    return Program(
        name="web",
        command=lambda port: [sys.executable, "-c", SERVER, str(port)],
        variables=lambda _: {"TOUCHLINE_HOME": str(home)},
        is_healthy=answers,
        preferred_port=preferred_port,
        fingerprint=fingerprint,
        startup_seconds=20,
    )


def start(home: Path, program: Program) -> Running:
    running = processes.launch(home, program)
    processes.await_health(home, program, running)
    return running


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until_dead(*pids: int) -> None:
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"{pids} still live"
        time.sleep(0.05)


def family_of(session: int) -> set[int]:
    return {child.pid for child in psutil.Process(session).children(recursive=True)} | {session}


def test_a_started_service_answers_and_a_stopped_one_is_gone(home: Path):
    running = start(home, web(home))
    assert answers(running.port)
    assert "GET / " in (home / "logs" / "web.log").read_text()
    assert processes.stop(home, "web")
    wait_until_dead(running.pid)
    assert processes.find(home, "web") is None
    assert not processes.stop(home, "web")


def test_starting_twice_keeps_the_one_that_runs(home: Path):
    first = start(home, web(home))
    assert processes.launch(home, web(home)) == first


def test_other_code_or_settings_are_a_reason_to_start_anew(home: Path):
    first = start(home, web(home))
    second = start(home, web(home, fingerprint="newer code"))
    assert second.pid != first.pid
    wait_until_dead(first.pid)
    assert answers(second.port)


def test_a_taken_port_leads_to_a_free_one(home: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = start(home, web(home, preferred_port=taken.getsockname()[1]))
        assert running.port != taken.getsockname()[1]
        assert answers(running.port)
        assert json.loads((home / "run" / "web.json").read_text())["port"] == running.port


def test_a_killed_service_is_started_again(home: Path):
    first = start(home, web(home))
    os.kill(first.pid, signal.SIGKILL)
    wait_until_dead(first.pid)
    assert not first.is_alive
    assert start(home, web(home)).pid != first.pid


def test_a_number_that_another_process_has_now_is_not_taken_for_ours(home: Path):
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        (home / "run").mkdir()
        stale = {"pid": stranger.pid, "port": 1, "started": 1, "digest": ""}
        (home / "run" / "web.json").write_text(json.dumps(stale))
        found = processes.find(home, "web")
        assert found is not None
        assert not found.is_alive
        assert not processes.stop(home, "web")
        assert is_alive(stranger.pid)
        stranger.kill()


def test_a_child_that_left_the_process_group_ends_with_its_service_even_after_kill_9(home: Path):
    program = replace(web(home), command=lambda _: [sys.executable, "-c", FAMILY], is_healthy=lambda _: True)
    running = processes.launch(home, program)
    deadline = time.monotonic() + 10
    while len(family := family_of(running.pid)) < 2:
        assert time.monotonic() < deadline, "the child did not start"
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    wait_until_dead(running.pid)
    assert processes.stop(home, "web")
    wait_until_dead(*family)


def test_a_service_that_ends_while_starting_is_told_with_the_end_of_its_log(home: Path):
    program = replace(
        web(home), command=lambda _: [sys.executable, "-c", "raise SystemExit('no such table')"]
    )
    running = processes.launch(home, program)
    with pytest.raises(ServiceFailed, match=r"(?s)web ended while starting.*no such table"):
        processes.await_health(home, program, running)


def test_a_service_that_never_answers_is_given_up_with_the_end_of_its_log(home: Path):
    command = [sys.executable, "-u", "-c", "import time; print('thinking'); time.sleep(600)"]
    program = replace(web(home), command=lambda _: command, startup_seconds=2)
    running = processes.launch(home, program)
    with pytest.raises(ServiceFailed, match=r"(?s)web did not answer within 2 s.*thinking"):
        processes.await_health(home, program, running)


def test_a_program_that_does_not_exist_is_told(home: Path):
    with pytest.raises(ServiceFailed, match="web cannot be started"):
        processes.launch(home, replace(web(home), command=lambda _: ["/no/such/program"]))


def test_the_sandbox_is_started_once_and_found_by_its_port(tmp_path: Path):
    settings = Settings(home=tmp_path, sandbox_port=0)
    try:
        services.ensure_source(settings)
        services.ensure_source(settings)
        port = settings.running_port("sandbox", 0)
        assert httpx.get(f"http://127.0.0.1:{port}/clock").status_code == 200
        states = {service.service: service for service in status.status(settings).services}
        assert states["sandbox"].state == "running"
        assert states["sandbox"].address == f"http://127.0.0.1:{port}"
        assert states["mlflow"].state == "stopped"
        running = processes.find(tmp_path, "sandbox")
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        wait_until_dead(running.pid)
        assert "sandbox" in status.dead_services(settings)
        assert {service.state for service in status.status(settings).services} == {"died", "stopped"}
    finally:
        services.stop_all(settings)


def test_a_real_source_needs_no_sandbox(tmp_path: Path):
    services.ensure_source(Settings(home=tmp_path, source=str(tmp_path)))
    assert processes.find(tmp_path, "sandbox") is None
