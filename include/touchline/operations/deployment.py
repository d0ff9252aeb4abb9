"""An installation whose parts run on several machines: prepare what they share, and join it with one more process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from touchline.database import bootstrap
from touchline.errors import SettingsInvalid
from touchline.operations import names, services
from touchline.operations.airflow_command import run_airflow
from touchline.operations.airflow_settings import joining_variables
from touchline.operations.code import code_digest
from touchline.operations.pools import pools
from touchline.settings import Settings


@dataclass(frozen=True)
class PreparedCluster:
    """What the machines share, and where."""

    database: str
    secrets: str

    @property
    def summary(self) -> str:
        """One sentence."""
        return f"Databases, roles and pools are ready on {self.database}; passwords and keys are in {self.secrets}."


def prepare_cluster(settings: Settings) -> PreparedCluster:
    """Bring databases and roles to this release, make Airflow's pools, and note the code; again it changes nothing.

    Passwords and keys that are missing are made. Raises SettingsInvalid without a database of its own address,
    DatabaseUnavailable or ServiceFailed when the database cannot be reached or migrated.
    """
    if settings.database_url is None:
        raise SettingsInvalid(
            "TOUCHLINE_DATABASE_URL is not set: machines that share an installation share a PostgreSQL server, and the "
            "embedded one answers its own machine only"
        )
    bootstrap.prepare(settings)
    for name in settings.secrets:
        if name != "postgres":
            settings.secrets[name]
    services.migrate_airflow(settings)
    _import_pools(settings)
    run_airflow(joining_variables(settings), "variables", "set", names.CODE_VARIABLE, code_digest())
    return PreparedCluster(settings.server_url, str(settings.home / "secrets"))


def become(settings: Settings, command: Sequence[str]) -> NoReturn:
    """Replace this process by a program with the environment of an Airflow process.

    Programs of this Python environment come first. Raises SettingsInvalid when there is no such program, or a password
    is missing.
    """
    variables = joining_variables(settings)
    folders = os.pathsep.join([str(Path(sys.executable).parent), variables.get("PATH", os.defpath)])
    program = shutil.which(command[0], path=folders)
    if program is None:
        raise SettingsInvalid(
            f"there is no program {command[0]!r} on this machine; write `airflow scheduler`"
        )
    os.execve(program, list(command), {**variables, "PATH": folders})  # noqa: S606


def _import_pools(settings: Settings) -> None:
    wanted = {
        name: {"slots": slots, "description": description, "include_deferred": False}
        for name, (slots, description) in pools(settings).items()
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(wanted))
        file.flush()
        run_airflow(joining_variables(settings), "pools", "import", file.name)
