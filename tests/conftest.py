"""Real services for tests: one PostgreSQL a session, one freshly migrated database a test."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from touchline.database import bootstrap, embedded
from touchline.database.engine import open_url
from touchline.operations import processes
from touchline.operations.services import ensure_mlflow
from touchline.settings import PROJECT_ROOT, Settings

for name in [
    name for name in os.environ if name.startswith("TOUCHLINE_") and name != "TOUCHLINE_SHARED_DATA"
]:
    del os.environ[name]

TEMPLATE = "touchline_template"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Settings]:
    """Settings of an installation of its own: an embedded PostgreSQL on a free port, migrated template."""
    # Not pytest's tmp_path: PostgreSQL may run as another user, who cannot enter a folder of mode 700.
    home = Path(tempfile.mkdtemp(prefix="touchline-test-"))
    home.chmod(0o755)
    settings = Settings(home=home, postgres_port=0, database_name=TEMPLATE)
    bootstrap.prepare(settings)
    yield settings
    embedded.stop(settings)
    shutil.rmtree(home, ignore_errors=True)


@contextmanager
def fresh_database(server: Settings) -> Iterator[Settings]:
    """Settings whose warehouse database is new, migrated and empty, and gone afterwards."""
    database = f"touchline_test_{next(_numbers)}"
    with open_url(server.admin_url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} owner touchline_owner template {}").format(
                sql.Identifier(database), sql.Identifier(TEMPLATE)
            )
        )
    yield server.model_copy(update={"database_name": database})
    with open_url(server.admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database)))


@pytest.fixture
def settings(server: Settings) -> Iterator[Settings]:
    """A database of its own for one test."""
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_settings(server: Settings) -> Iterator[Settings]:
    """A database shared by the tests of one module, which only read what its fixtures wrote."""
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def mlflow_server(server: Settings) -> Iterator[Settings]:
    """The same installation with an MLflow server that runs."""
    ensure_mlflow(server)
    yield server
    processes.stop(server.home, "mlflow")


@pytest.fixture
def registry(mlflow_server: Settings, settings: Settings) -> Settings:
    """Settings whose model name nobody else uses; one held-out season is enough."""
    return settings.model_copy(update={"evaluation_seasons": 1})


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files, or a skip that says why."""
    folder = Path(os.environ.get("TOUCHLINE_SHARED_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    if not folder.exists():
        pytest.skip(f"no real data at {folder}; set TOUCHLINE_SHARED_DATA to run this")
    return folder


@pytest.fixture(scope="session")
def season_files(shared_data: Path) -> Iterator[Path]:
    """All real season files, unpacked as `SSSS/DIV.csv`."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-seasons-"))
    shutil.unpack_archive(shared_data / "football_data_uk" / "season_files_1993_2023.tar.xz", folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
