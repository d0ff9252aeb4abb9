"""Airflow's settings on a machine: addresses, paths and secrets. What holds everywhere is in airflow.cfg.

Without any variable of Airflow's own they are those of a single machine; a cluster says by such variables which
executor runs the tasks and where the API server and the broker are (docs/operating-airflow.md).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from touchline.credentials import variable_of, write_private
from touchline.database.engine import sqlalchemy_url
from touchline.errors import SettingsInvalid
from touchline.openlineage.datasets import NAMESPACE
from touchline.openlineage.transport import write_client_file
from touchline.operations.status import AIRFLOW_API
from touchline.settings import (
    PROJECT_ROOT,
    SMTP_PORTS,
    Notify,
    Settings,
    airflow_variables_given,
    inherited_environment,
    source_keys,
)

# Airflow's connections to who is alerted, and for how long one waits for them.
WEBHOOK, MAIL = "touchline_webhook", "touchline_mail"
ANSWER_SECONDS = 5
# The one user; a cluster's auth manager knows its own.
USER = "admin"
# What the steps of the pipeline connect with.
ROLES_OF_TASKS = ("ingest", "transform", "model", "api")
CREDENTIALS_OF_AIRFLOW = ("airflow", "airflow_admin", "fernet", "jwt", "session")
QUIET = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "FEAST_USAGE": "False",
}


def airflow_variables(settings: Settings, api_port: int) -> dict[str, str]:
    """The environment of every Airflow process, and so of every task. `api_port` is the API server's.

    Variables of Airflow's own (`AIRFLOW__...`) that this process was given are among them, the executor's for example;
    addresses, paths and secrets are ours.
    Writes the files by which Airflow sends OpenLineage events and knows its user.
    """
    folder = settings.home / "airflow"
    address = f"http://127.0.0.1:{api_port}"
    secrets = settings.secrets
    database = settings.url_for("airflow", secrets["airflow"], "airflow")
    return {
        **airflow_variables_given(),
        **QUIET,
        **settings.environment(),
        **settings.passwords(*ROLES_OF_TASKS),
        **(settings.passwords("backup") if settings.backup.folder is not None else {}),
        **settings.backup.environment(),
        **source_keys(),
        **settings.notify.environment(),
        **connections(settings.notify),
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONFIG": str(PROJECT_ROOT / "airflow.cfg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sqlalchemy_url(database),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(_write_passwords(settings)),
        # A Fernet key is 32 bytes in base64 with its padding; the stored secret has none.
        "AIRFLOW__CORE__FERNET_KEY": secrets["fernet"].rstrip("=") + "=",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": secrets["session"],
        # SHA-512 signatures want a key of at least 64 bytes.
        "AIRFLOW__API_AUTH__JWT_SECRET": hashlib.sha512(secrets["jwt"].encode()).hexdigest(),
        "AIRFLOW__API_AUTH__JWT_ISSUER": "touchline",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(folder / "logs" / "dag_processor"),
        "AIRFLOW__OPENLINEAGE__CONFIG_PATH": str(write_client_file(settings)),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": NAMESPACE,
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }


def joining_variables(settings: Settings) -> dict[str, str]:
    """The whole environment of an Airflow process that joins an installation, on this machine or another.

    Variables of Airflow's own that this process was given win, as they say where the other machines are. Raises
    SettingsInvalid when a password or key of the installation is missing: one made here would fit nowhere else.
    """
    missing = settings.secrets.missing(*CREDENTIALS_OF_AIRFLOW, *ROLES_OF_TASKS)
    if missing:
        raise SettingsInvalid(
            f"this machine has no {', '.join(missing)} in {settings.home / 'secrets'}: copy or mount that folder from "
            f"the machine that ran `touchline airflow init` or `touchline up`, or set {variable_of(missing[0])} etc."
        )
    ours = airflow_variables(settings, settings.running_port(AIRFLOW_API, settings.airflow_port))
    return {**inherited_environment(), **ours, **airflow_variables_given()}


def connections(notify: Notify) -> dict[str, str]:
    """The variables that are Airflow's connections to who is alerted; none for what is not set."""
    found: dict[str, dict[str, Any]] = {}
    if notify.webhook_address is not None:
        found[WEBHOOK] = {"conn_type": "slackwebhook", "password": notify.webhook_address}
    if notify.smtp_address is not None:
        parts = urlsplit(notify.smtp_address)
        found[MAIL] = {
            "conn_type": "smtp",
            "host": parts.hostname,
            "port": parts.port or SMTP_PORTS[parts.scheme],
            "login": unquote(parts.username or "") or None,
            "password": unquote(parts.password or "") or None,
            "extra": {
                "disable_ssl": parts.scheme != "smtps",
                "disable_tls": parts.scheme != "smtp+starttls",
                "timeout": ANSWER_SECONDS,
                "retry_limit": 0,
            },
        }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in found.items()}


def passwords_file(settings: Settings) -> Path:
    """Where Airflow reads the password of its user."""
    return settings.home / "airflow" / "passwords.json"


def _write_passwords(settings: Settings) -> Path:
    path = passwords_file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps({USER: settings.secrets["airflow_admin"]}))
    return path
