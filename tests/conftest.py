"""Real services for tests: one PostgreSQL a session, one freshly migrated database a test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import copy_of
from touchline.database import bootstrap, embedded
from touchline.operations import processes
from touchline.operations.services import ensure_mlflow
from touchline.settings import PROJECT_ROOT, Settings
from untraced import look_away

for name in [
    name for name in os.environ if name.startswith("TOUCHLINE_") and name != "TOUCHLINE_SHARED_DATA"
]:
    del os.environ[name]

TEMPLATE = "touchline_template"


@pytest.fixture(scope="session", autouse=True)
def coverage_of_ours() -> Iterator[None]:
    """Where coverage is measured, of our code alone."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if sys.gettrace() is not None:
            look_away(monkeypatch)
        yield


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


@pytest.fixture
def settings(server: Settings) -> Iterator[Settings]:
    """A database of its own for one test."""
    with copy_of(server) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_settings(server: Settings) -> Iterator[Settings]:
    """A database shared by the tests of one module, which only read what its fixtures wrote."""
    with copy_of(server) as fresh:
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
