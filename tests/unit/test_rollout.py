"""A rollout of another image, with a stand-in for docker that says what is there and notes what it is told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from touchline.errors import RolloutFailed
from touchline.operations.rollout import Compose, previous, roll_back, roll_out

# Images are told with the newest first. What was started beside the old container is healthy if a file says so.
DOCKER = """#!/bin/sh
echo "$TOUCHLINE_IMAGE: $*" >> "$STATE/asked"
case "$*" in
  "image ls touchline "*) printf 'touchline:3\\ntouchline:2\\ntouchline:1\\n' ;;
  "image ls "*) ;;
  "image inspect touchline:9") echo "no such image" >&2; exit 1 ;;
  *" ps "*) cat "$STATE/running"; grep -q -- --no-recreate "$STATE/asked" && cat "$STATE/new" || true ;;
esac
"""


def container(service: str, image: str, number: str, health: str = "healthy") -> str:
    return json.dumps({"Service": service, "Image": image, "ID": number, "Health": health}) + "\n"


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """A cluster that runs touchline:2, in a folder of its own."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STATE", str(tmp_path))
    monkeypatch.setattr("touchline.operations.rollout.FORGOTTEN_SECONDS", 0.0)
    (tmp_path / "docker").mkdir()
    (tmp_path / "running").write_text(
        container("api", "touchline:2", "a")
        + container("worker", "touchline:2", "b")
        + container("redis", "redis:8", "c")
    )
    (tmp_path / "new").write_text(container("api", "touchline:1", "d"))
    return Compose(tmp_path)


def asked(compose: Compose) -> list[str]:
    return (compose.folder / "asked").read_text().splitlines()


def test_a_rollback_goes_to_the_image_made_before_and_migrates_nothing(compose: Compose):
    done = roll_back(compose)
    assert (done.image, done.before, done.services) == ("touchline:1", "touchline:2", ("api", "worker"))
    told = [line for line in asked(compose) if line.startswith("touchline:1: ")]
    assert "--no-recreate --scale api=2 api" in told[0]
    assert told[1].endswith(" worker")
    assert not any(" init" in line for line in told)
    assert any(line.endswith(": stop --time 30 a") for line in asked(compose))
    assert (compose.folder / "docker" / ".env").read_text() == "TOUCHLINE_IMAGE=touchline:1\n"


def test_a_rollout_migrates_first_and_keeps_what_else_compose_is_told(compose: Compose):
    (compose.folder / "docker" / ".env").write_text("WORKERS=4\nTOUCHLINE_IMAGE=touchline:2\n")
    roll_out(compose, "touchline:3", prepares=True)
    assert next(line for line in asked(compose) if line.startswith("touchline:3")).endswith("run --rm init")
    assert (compose.folder / "docker" / ".env").read_text() == "WORKERS=4\nTOUCHLINE_IMAGE=touchline:3\n"


def test_a_new_api_that_does_not_become_healthy_leaves_the_old_one_in_place(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("touchline.operations.rollout.HEALTHY_SECONDS", 0.0)
    (compose.folder / "new").write_text(container("api", "touchline:1", "d", "unhealthy"))
    with pytest.raises(RolloutFailed, match="touchline:1 did not become healthy"):
        roll_back(compose)
    assert any(line.endswith(": rm --force d") for line in asked(compose))
    assert not any(" stop " in line for line in asked(compose))
    assert not (compose.folder / "docker" / ".env").exists()


def test_there_is_nothing_to_go_back_to_before_the_first_image(compose: Compose):
    with pytest.raises(RolloutFailed, match="no image of touchline older than touchline:1"):
        previous(compose, "touchline:1")
    with pytest.raises(RolloutFailed, match="there are none"):
        previous(compose, "elsewhere/touchline:1")


def test_an_image_that_is_not_there_changes_nothing(compose: Compose):
    with pytest.raises(RolloutFailed, match="no such image"):
        roll_out(compose, "touchline:9", prepares=True)
    assert len(asked(compose)) == 1


def test_nothing_that_runs_cannot_be_rolled_back(compose: Compose):
    (compose.folder / "running").write_text(container("redis", "redis:8", "c"))
    with pytest.raises(RolloutFailed, match="no service `api` runs"):
        roll_back(compose)
