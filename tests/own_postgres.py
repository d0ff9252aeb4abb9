"""A PostgreSQL that a test may make to crash, with a copy of a database of the session's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.own_server import Unsupervised, own_server, unsupervised

from touchline.database import embedded
from touchline.settings import Settings


@contextmanager
def own_postgres(original: Settings) -> Iterator[Unsupervised]:
    """A server that runs, with a copy of the database of `original`."""
    with own_server(database_name=original.warehouse_database) as settings:
        _copy(original.admin_url, settings.admin_url, original.warehouse_database)
        with unsupervised(settings) as server:
            yield server


def _copy(source: str, target: str, database: str) -> None:
    """Replace a database of one server by that of another; its roles are there already."""
    programs = embedded.program_folder()
    address = source.rpartition("/")[0]
    dump = [str(programs / "pg_dump"), "--create", "--clean", f"--dbname={address}/{database}"]
    restore = [
        str(programs / "psql"),
        "--quiet",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        f"--dbname={target}",
    ]
    with subprocess.Popen(dump, stdout=subprocess.PIPE) as dumping:
        subprocess.run(restore, stdin=dumping.stdout, check=True, stdout=subprocess.DEVNULL)
    assert dumping.returncode == 0, "pg_dump failed"
