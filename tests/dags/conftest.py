"""Airflow, configured as on a laptop but without a server: its settings are read when it is first imported."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from touchline.operations.airflow_settings import QUIET
from touchline.settings import PROJECT_ROOT

_home = Path(tempfile.mkdtemp(prefix="touchline-airflow-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ.update(
    QUIET
    | {
        "AIRFLOW_HOME": str(_home),
        "AIRFLOW_CONFIG": str(PROJECT_ROOT / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(_home / "logs"),
        "AIRFLOW__API__BASE_URL": "https://airflow.example",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_home / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "of tests, and as long as SHA-512 wants a key to be: 64 bytes or more",
    }
)
