"""One installation for all end-to-end tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from installation import Installation
from touchline.operations import services
from touchline.settings import Settings
from touchline.supervision.programs import free_port


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """Nothing is there yet; everything is stopped and removed in the end."""
    with _new_installation() as one:
        yield one


@pytest.fixture(scope="module")
def own_installation() -> Iterator[Installation]:
    """Another for one module."""
    with _new_installation() as one:
        yield one


@contextmanager
def _new_installation() -> Iterator[Installation]:
    # Not pytest's tmp_path: PostgreSQL may run as another user, who cannot enter a folder of mode 700.
    home = Path(tempfile.mkdtemp(prefix="touchline-e2e-"))
    home.chmod(0o755)
    ports = {
        f"{name}_port": free_port() for name in ("postgres", "airflow", "mlflow", "api", "sandbox")
    }  # fmt: skip
    # Fewer seasons than a user's first run has, with the same steps.
    settings = Settings(home=home, history_seasons=4, evaluation_seasons=1, **ports)
    yield Installation(settings)
    services.stop_all(settings)
    shutil.rmtree(home, ignore_errors=True)
