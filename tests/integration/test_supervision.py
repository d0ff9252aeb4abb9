"""Services that come back, under a real supervisor."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from touchline.errors import ServiceFailed, SettingsInvalid
from touchline.operations import services, status
from touchline.settings import Settings
from touchline.supervision import supervisor
from touchline.supervision.programs import (
    Life,
    Program,
    digest_of,
    end_life,
    port_for,
    read_life,
    read_program,
    start_of,
    write_program,
)
from touchline.supervision.supervisor import ProgramState, await_health, run_programs, states, stop_programs

pytestmark = pytest.mark.slow

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
NOBODY = "tcp://127.0.0.1:1"
SECONDS = 20


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "my home"
    home.mkdir()
    yield home
    for name in (program.name for program in stop_hurriedly(home)):
        assert read_program(home, name) is None


def stop_hurriedly(home: Path) -> list[Program]:
    programs = [state.program for state in states(home)]
    for program in programs:
        write_program(home, replace(program, grace_seconds=1))
    stop_programs(home)
    return programs


def web(home: Path, preferred_port: int = 0, fingerprint: str = "") -> Program:
    port = port_for(home, "web", preferred_port)
    command = [sys.executable, "-c", SERVER, str(port)]
    return Program(
        name="web",
        command=command,
        environment={"TOUCHLINE_HOME": str(home)},
        folder=str(home),
        digest=digest_of(command, {}, fingerprint),
        port=port,
        health=f"http://127.0.0.1:{port}/",
        startup_seconds=SECONDS,
    )


def script(home: Path, text: str, name: str = "script") -> Program:
    command = [sys.executable, "-u", "-c", text]
    return Program(name, command, {}, str(home), digest_of(command, {}), startup_seconds=SECONDS)


def start(home: Path, program: Program) -> Life:
    run_programs(home, [program])
    await_health(home, program)
    life = read_life(home, program.name)
    assert life is not None
    return life


def answers(program: Program) -> bool:
    return httpx.get(f"http://127.0.0.1:{program.port}/", timeout=5).status_code == 200


def is_alive(pid: int) -> bool:
    return start_of(pid) is not None


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def wait_until_dead(*pids: int) -> None:
    wait_until(lambda: not any(is_alive(pid) for pid in pids), f"{pids} still live")


def state_of(home: Path, name: str) -> ProgramState:
    (found,) = (state for state in states(home) if state.program.name == name)
    return found


def child_of(life: Life) -> int:
    wait_until(lambda: psutil.Process(life.pid).children(), "the child did not start")
    return psutil.Process(life.pid).children()[0].pid


def supervising(home: Path, what: str) -> psutil.Process | None:
    configuration = str(home / "run" / "supervisord.conf")
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if configuration in command and what in command and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.Error:
            continue
    return None


def test_a_started_service_answers_and_a_stopped_one_is_gone(home: Path):
    program = web(home)
    life = start(home, program)
    assert answers(program)
    assert "GET / " in (home / "logs" / "web.log").read_text()
    assert stop_programs(home) == ["web"]
    wait_until_dead(life.pid)
    assert read_program(home, "web") is None
    assert stop_programs(home) == []
    assert supervising(home, "supervisor.supervisord") is None


def test_starting_twice_keeps_the_one_that_runs(home: Path):
    first = start(home, web(home))
    assert run_programs(home, [web(home)]) == []
    assert read_life(home, "web") == first


def test_other_code_or_settings_are_a_reason_to_start_anew(home: Path):
    first = start(home, web(home))
    newer = web(home, fingerprint="newer code")
    assert run_programs(home, [newer]) == ["web"]
    wait_until_dead(first.pid)
    await_health(home, newer)
    second = read_life(home, "web")
    assert second is not None
    assert second.pid != first.pid
    assert answers(newer)


def test_a_taken_port_leads_to_a_free_one_which_is_kept(home: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wished = taken.getsockname()[1]
        program = web(home, preferred_port=wished)
        first = start(home, program)
        assert program.port != wished
        assert answers(program)
        assert json.loads((home / "run" / "web.json").read_text())["port"] == program.port
        os.kill(first.pid, signal.SIGKILL)
        wait_until(lambda: read_life(home, "web") != first and program.is_healthy, "it did not come back")
        assert port_for(home, "web", wished) == program.port
    assert port_for(home, "web", wished) == wished


def test_a_killed_service_comes_back_and_says_so(home: Path):
    program = web(home)
    first = start(home, program)
    os.kill(first.pid, signal.SIGKILL)
    wait_until(lambda: read_life(home, "web") != first and program.is_healthy, "it did not come back")
    found = state_of(home, "web")
    assert found.pid != first.pid
    assert (found.n_restarts, found.last_end) == (1, "terminated by SIGKILL")
    assert found.seconds is not None


def test_a_number_that_another_process_has_now_is_not_taken_for_ours(home: Path):
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        (home / "run").mkdir()
        write_program(home, web(home))
        stale = {"pid": stranger.pid, "started": 1, "n_starts": 1, "waits_for": None}
        (home / "run" / "web.life").write_text(json.dumps(stale))
        found = read_life(home, "web")
        assert found is not None
        assert not found.is_alive
        assert not end_life(home, web(home), grace_seconds=1)
        assert is_alive(stranger.pid)
        stranger.kill()


def test_nothing_of_a_killed_leader_outlives_its_next_start(home: Path):
    program = script(home, FAMILY)
    life = start(home, program)
    child = child_of(life)
    os.kill(life.pid, signal.SIGKILL)
    wait_until_dead(life.pid, child)
    wait_until(lambda: read_life(home, "script") != life, "it did not come back")
    second = read_life(home, "script")
    assert second is not None
    child = child_of(second)
    stop_hurriedly(home)
    wait_until_dead(second.pid, child)


def test_supervisor_and_keeper_bring_each_other_back(home: Path):
    program = web(home)
    first = start(home, program)
    wait_until(lambda: supervising(home, "touchline.supervision.keeper"), "there is no keeper")
    dead = supervising(home, "supervisor.supervisord")
    assert dead is not None
    dead.kill()
    found = set()
    while read_life(home, "web") == first or not program.is_healthy:
        found.add(state_of(home, "web").state)
    assert "restarting" in found
    assert "died" not in found, "somebody would give it up"
    wait_until_dead(first.pid)
    wait_until(lambda: supervising(home, "touchline.supervision.keeper"), "there is no new keeper")
    keeper, second = supervising(home, "touchline.supervision.keeper"), read_life(home, "web")
    assert keeper is not None
    keeper.kill()
    wait_until(lambda: supervising(home, "touchline.supervision.keeper") not in (None, keeper), "nor another")
    assert read_life(home, "web") == second
    stop_programs(home)
    assert supervising(home, "supervisor.supervisord") is None
    assert supervising(home, "touchline.supervision.keeper") is None


def test_what_lost_supervisor_and_keeper_is_told_started_anew_and_stopped(home: Path):
    program = web(home)
    first = start(home, program)
    supervisor._kill_supervisor(home)
    assert (state_of(home, "web").state, state_of(home, "web").pid) == ("died", first.pid)
    run_programs(home, [program])
    wait_until_dead(first.pid)
    await_health(home, program)
    second = read_life(home, "web")
    supervisor._kill_supervisor(home)
    assert stop_programs(home) == ["web"]
    assert second is not None
    wait_until_dead(second.pid)


def test_a_service_waits_for_what_it_needs(home: Path):
    first = web(home)
    assert first.health is not None
    second = replace(script(home, "import time; print('begun'); time.sleep(600)"), needs=[first.health])
    run_programs(home, [second])
    wait_until(lambda: state_of(home, "script").state == "waiting", "it does not wait")
    assert state_of(home, "script").waits_for == first.health
    run_programs(home, [first])
    await_health(home, second)
    assert state_of(home, "script").state == "running"


def test_only_what_is_asked_for_runs_on(home: Path):
    one, other = (
        replace(script(home, "import time; time.sleep(600)"), name=name) for name in ("one", "other")
    )
    run_programs(home, [one, other])
    await_health(home, one)
    await_health(home, other)
    life = read_life(home, "other")
    assert life is not None
    run_programs(home, [one], only=True)
    wait_until_dead(life.pid)
    assert [state.program.name for state in states(home)] == ["one"]
    assert stop_programs(home, ["one"]) == ["one"]
    assert supervising(home, "supervisor.supervisord") is None


def test_a_service_that_ends_while_starting_is_told_with_the_end_of_its_log_and_given_up_in_the_end(
    home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervisor, "MOST_RETRIES", 2)
    program = replace(script(home, "raise SystemExit('no such table')"), health=NOBODY)
    run_programs(home, [program])
    with pytest.raises(ServiceFailed, match=r"(?s)script ended while starting.*no such table"):
        await_health(home, program)
    wait_until(lambda: state_of(home, "script").state == "given up", "it is still tried")
    assert state_of(home, "script").last_end == "exit status 1"
    assert run_programs(home, [program]) == ["script"]


def test_a_service_that_never_answers_is_told_with_the_end_of_its_log(home: Path):
    thinking = script(home, "import time; print('thinking'); time.sleep(600)")
    program = replace(thinking, health=NOBODY, startup_seconds=2)
    run_programs(home, [program])
    with pytest.raises(ServiceFailed, match=r"(?s)script did not answer within 2 s.*thinking"):
        await_health(home, program)


@pytest.mark.nightly  # By day: one that ends while starting.
def test_a_program_that_does_not_exist_is_told(home: Path):
    program = replace(script(home, ""), command=["/no/such/program"], health=NOBODY)
    run_programs(home, [program])
    with pytest.raises(ServiceFailed, match=r"(?s)script ended while starting.*/no/such/program"):
        await_health(home, program)


def test_a_home_whose_socket_would_have_too_long_a_name_is_refused(tmp_path: Path):
    home = tmp_path / ("x" * 100)
    with pytest.raises(SettingsInvalid, match="choose a shorter folder"):
        run_programs(home, [script(home, "")])


@pytest.mark.parametrize("name", ["100%", "this;that"])
def test_a_home_whose_name_the_supervisor_would_read_otherwise_is_refused(tmp_path: Path, name: str):
    home = tmp_path / name
    with pytest.raises(SettingsInvalid, match="the supervisor takes no folder with % or ; in its name"):
        run_programs(home, [script(home, "")])


def test_logs_are_kept_below_a_size(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10_000)
    monkeypatch.setattr(supervisor, "LOG_COPIES", 1)
    start(
        home,
        script(home, "import time\nfor _ in range(40_000): print('x' * 99)\nprint('end'); time.sleep(600)"),
    )
    sizes: list[int] = []

    def has_ended() -> bool:
        # They are exchanged under our hands.
        with suppress(FileNotFoundError):
            logs = list((home / "logs").glob("script.log*"))
            sizes[:] = [log.stat().st_size for log in logs]
            return any(log.read_text().endswith("end\n") for log in logs)
        return False

    wait_until(has_ended, "it did not write")
    # Its size is looked at after each piece that was read.
    assert sum(sizes) <= 2 * (10_000 + 2**17)


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
        assert states["sandbox"].n_restarts == 0
        assert states["mlflow"].state == "stopped"
    finally:
        assert services.stop_all(settings) == ["sandbox"]


def test_a_real_source_needs_no_sandbox(tmp_path: Path):
    services.ensure_source(Settings(home=tmp_path, source=str(tmp_path)))
    assert read_program(tmp_path, "sandbox") is None
