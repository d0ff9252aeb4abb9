"""Put another image of Touchline under a cluster of compose, while its API answers.

New containers of the API start beside the old ones, and the proxy asks them once they are healthy; then the old ones
end, when they have answered what they were asked. The image is an argument of compose (`TOUCHLINE_IMAGE`), kept in
`docker/.env`, so that whatever compose does later is done with the same one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from touchline.errors import RolloutFailed

FILE: Final = "docker/compose.yaml"
VARIABLE: Final = "TOUCHLINE_IMAGE"
API: Final = "api"
# Prepares what a newer image needs; an older one works on what is there (docs/deployment.md, "Another image").
INIT: Final = "init"
HEALTHY_SECONDS: Final = 120.0
# A name that was resolved is asked for so long; then nobody comes to the old ones any more.
FORGOTTEN_SECONDS: Final = 2.0
ENDING_SECONDS: Final = 30


@dataclass(frozen=True)
class RolledOut:
    """Which image runs now, in place of which."""

    image: str
    before: str
    services: tuple[str, ...]
    seconds: float

    @property
    def summary(self) -> str:
        """One sentence."""
        return (
            f"{self.image} runs in place of {self.before}: {', '.join(self.services)}, in {self.seconds:.0f} s; "
            f"`touchline rollback image` goes back."
        )


@dataclass(frozen=True)
class Compose:
    """The project of `docker/compose.yaml` below a folder."""

    folder: Path

    def run(self, *arguments: str, image: str = "") -> str:
        """Run docker compose with an image, or with the one that is set; returns what it printed.

        Raises RolloutFailed with what it said.
        """
        return self._done("docker", "compose", "--file", str(self.folder / FILE), *arguments, image=image)

    def docker(self, *arguments: str) -> str:
        """Run docker; returns what it printed. Raises RolloutFailed with what it said."""
        return self._done("docker", *arguments)

    def containers(self) -> list[dict[str, Any]]:
        """Every container of the project that runs, with Service, Image, ID and Health."""
        told = self.run("--profile", "*", "ps", "--format", "json").strip()
        # A list in old versions, a line for each in new ones.
        found = json.loads(told) if told.startswith("[") else [json.loads(line) for line in told.splitlines()]
        return list(found)

    def keep(self, image: str) -> None:
        """Have compose use an image from now on."""
        path = self.folder / "docker" / ".env"
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if not re.match(rf"\s*{VARIABLE}\s*=", line)]
        path.write_text("\n".join([*kept, f"{VARIABLE}={image}"]) + "\n")

    def _done(self, *command: str, image: str = "") -> str:
        variables = {**os.environ, **({VARIABLE: image} if image else {})}
        try:
            done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            raise RolloutFailed("there is no docker on this machine") from error
        if done.returncode:
            raise RolloutFailed(f"`{' '.join(command[:6])} ...` failed: {done.stderr.strip()[-2000:]}")
        return done.stdout


def roll_out(compose: Compose, image: str, *, prepares: bool) -> RolledOut:
    """Run every service of a cluster with an image; with `prepares`, migrate the database to it first.

    Raises RolloutFailed when the image is not there, nothing runs, or the new API does not become healthy: then the old
    one goes on, and nothing else has changed.
    """
    began = time.monotonic()
    compose.docker("image", "inspect", image)
    running = compose.containers()
    old = [each for each in running if each["Service"] == API]
    if not old:
        raise RolloutFailed(
            f"no service `{API}` runs: `docker compose --profile cluster up` starts a cluster"
        )
    before = str(old[0]["Image"])
    if prepares:
        compose.run("run", "--rm", INIT, image=image)
    _replace(compose, image, old)
    compose.keep(image)
    others = sorted({each["Service"] for each in running if each["Image"] == before} - {API})
    if others:
        # Workers end when the tasks that they have begun are done.
        compose.run("up", "--detach", "--no-deps", *others, image=image)
    return RolledOut(image, before, (API, *others), time.monotonic() - began)


def roll_back(compose: Compose) -> RolledOut:
    """Go back to the image that was made before the one that runs. Raises what `roll_out` raises."""
    running = [each for each in compose.containers() if each["Service"] == API]
    if not running:
        raise RolloutFailed(
            f"no service `{API}` runs: `docker compose --profile cluster up` starts a cluster"
        )
    return roll_out(compose, previous(compose, str(running[0]["Image"])), prepares=False)


def previous(compose: Compose, image: str) -> str:
    """The newest image of the same name that is older than one. Raises RolloutFailed when there is none here."""
    name = image.rpartition(":")[0] or image
    # The newest first.
    tags = compose.docker("image", "ls", name, "--format", "{{.Repository}}:{{.Tag}}").split()
    older = tags[tags.index(image) + 1 :] if image in tags else []
    if not older:
        raise RolloutFailed(
            f"there is no image of {name} older than {image} here; there are {', '.join(tags) or 'none'}"
        )
    return older[0]


def _replace(compose: Compose, image: str, old: Sequence[dict[str, Any]]) -> None:
    """Start as many containers of the API beside the old ones, and end those once the new ones are healthy."""
    known = {each["ID"] for each in old}
    compose.run(
        "up", "--detach", "--no-deps", "--no-recreate", "--scale", f"{API}={2 * len(old)}", API, image=image
    )
    until = time.monotonic() + HEALTHY_SECONDS
    while True:
        new = [each for each in compose.containers() if each["Service"] == API and each["ID"] not in known]
        if len(new) >= len(old) and all(each["Health"] == "healthy" for each in new):
            break
        if time.monotonic() > until:
            compose.docker("rm", "--force", *(each["ID"] for each in new))
            raise RolloutFailed(
                f"the API of {image} did not become healthy within {HEALTHY_SECONDS:.0f} s; the one before goes on"
            )
        time.sleep(0.5)
    # The proxy has to know the new ones before the old ones end.
    time.sleep(FORGOTTEN_SECONDS)
    compose.docker("stop", "--time", str(ENDING_SECONDS), *known)
    compose.docker("rm", *known)
