"""One installation for all end-to-end tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alert_receivers import webhook
from installation import Installation
from touchline.operations import services
from touchline.settings import Notify, Settings
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
    with webhook() as hook:
        # Fewer seasons than a user's first run has, with the same steps; operators are told by a webhook.
        notify = Notify(webhook=hook.address)
        settings = Settings(home=home, history_seasons=4, evaluation_seasons=1, notify=notify, **ports)
        yield Installation(settings, hook)
        services.stop_all(settings)
    shutil.rmtree(home, ignore_errors=True)
