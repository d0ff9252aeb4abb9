"""Settings: the only place that reads the environment.

Every value can be given as `TOUCHLINE_<NAME>`; the defaults run everything on one laptop. A process reads them with
`read_settings`, which refuses what it cannot use.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from touchline.clock import parse_as_of
from touchline.credentials import Credentials, variable_of
from touchline.errors import SettingsInvalid, nearest

Role = Literal[
    "owner", "ingest", "transform", "model", "api", "access", "analyst", "watchdog", "metrics", "backup"
]  # fmt: skip
ROLES: tuple[Role, ...] = get_args(Role)
# Each has a password or key of its own.
CREDENTIALS = ("postgres", *ROLES, "airflow", "airflow_admin", "mlflow", "jwt", "fernet", "session")

PROJECT_ROOT = Path(__file__).resolve().parents[2]

PREFIX = "TOUCHLINE_"
# Begin like settings and are none: keys of sources, what dbt and Great Expectations are told, real files for tests.
OTHER_VARIABLES = re.compile(r"TOUCHLINE_(\w+_KEY(_FILE)?|DBT_\w+|QUALITY_URL|SHARED_DATA)")

SANDBOX = "sandbox"
LIVE = "live"

# Of a mail server, where its address has none.
SMTP_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}

# Of the API, where it listens on more than loopback.
USUAL_KEY_LIMIT = "6000/minute"
USUAL_ADDRESS_LIMIT = "60/minute"
NO_LIMIT = "none"

# 0 is any free one.
Port = Annotated[int, Field(ge=0, le=65535)]


class Drift(BaseModel, frozen=True):
    """When the champion, the prices or the features count as no longer what they were."""

    false_alarms: float = Field(
        default=0.05, gt=0, lt=1, description="false alarms a year of all drift detectors together"
    )
    fewest_matches: int = Field(default=200, ge=2, description="matches without which nothing is drift")
    window_days: int = Field(default=28, ge=7, le=182, description="days whose features are compared")
    psi: float = Field(
        default=0.25, gt=0, description="population stability index above which a feature drifts"
    )
    market_gap: float = Field(
        default=0.015, ge=0, description="log loss behind the closing market that is tolerated, nats"
    )


class Confident(BaseModel, frozen=True):
    """What confident picks promise."""

    pick: float = Field(
        default=0.60, ge=0.5, lt=1, description="top probability from which a forecast is a confident pick"
    )
    accuracy: float = Field(
        default=0.70, gt=0, lt=1, description="share of confident picks that has to come in"
    )
    fewest_picks: int = Field(
        default=100, ge=1, description="confident picks without which they are not judged"
    )


class Promotion(BaseModel, frozen=True):
    """What is asked of a version before it is champion."""

    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="probability of being better that a model with another recipe must reach",
    )
    patience_days: int = Field(
        default=14,
        ge=1,
        description="a champion that learnt from nothing newer gives way to what is not worse",
    )
    needs_approval: bool = Field(
        default=False, description="a new champion waits for `touchline models promote`"
    )


def _content(path: Path, variable: str) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsInvalid(f"{variable}: {path} cannot be read: {error.strerror}") from error


def _secret(given: SecretStr | None, path: Path | None, variable: str) -> str | None:
    if given is not None:
        return given.get_secret_value()
    return None if path is None else _content(path, variable) or None


def _has_a_port(url: str) -> bool:
    """True when the port of a URL is one, or it names none."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


class Notify(BaseModel, frozen=True):
    """Who is alerted, and how; nobody if nothing is set. A secret may be the content of a file instead."""

    webhook: SecretStr | None = Field(
        default=None, description="address of an incoming webhook of Slack, or of what speaks like it"
    )
    webhook_file: Path | None = Field(default=None, description="the file that holds it")
    email: str | None = Field(default=None, description="addresses, with commas between them")
    sender: str = Field(default="touchline@localhost", description="whom mails come from")
    smtp: SecretStr | None = Field(
        default=None,
        description="the mail server, smtp://user:password@host:25, smtp+starttls://host:587 or smtps://host:465",
    )
    smtp_file: Path | None = Field(default=None, description="the file that holds it")

    @model_validator(mode="after")
    def _is_complete(self) -> Notify:
        if self.webhook_address is not None and not self.webhook_address.startswith(("http://", "https://")):
            raise ValueError("WEBHOOK: write https://hooks.slack.com/services/...")
        if self.smtp_address is not None:
            parts = urlsplit(self.smtp_address)
            if parts.scheme not in SMTP_PORTS or not parts.hostname or not _has_a_port(self.smtp_address):
                raise ValueError("SMTP: write smtp://, smtp+starttls:// or smtps://user:password@host:port")
        if (self.email is None) != (self.smtp_address is None):
            raise ValueError("EMAIL and SMTP go together: set both, or none")
        return self

    @property
    def webhook_address(self) -> str | None:
        """The webhook's address."""
        return _secret(self.webhook, self.webhook_file, "TOUCHLINE_NOTIFY_WEBHOOK_FILE")

    @property
    def smtp_address(self) -> str | None:
        """The mail server's address, with user and password where it needs them."""
        return _secret(self.smtp, self.smtp_file, "TOUCHLINE_NOTIFY_SMTP_FILE")

    def environment(self) -> dict[str, str]:
        """The variables that give another process these settings, secrets included."""
        shown = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            f"{PREFIX}NOTIFY_{name.upper()}": (
                value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            )
            for name, value in shown.items()
            if value is not None
        }


class Keep(BaseModel, frozen=True):
    """How long what Airflow writes about its own work is kept, and the audit log of uses of the API."""

    log_days: int = Field(default=30, ge=1, description="days after which the log of a task is deleted")
    run_days: int = Field(
        default=90,
        ge=1,
        description="days after which runs, tasks and events of Airflow's metadata are deleted",
    )
    use_days: int = Field(
        default=400, ge=30, description="days after which uses of keys are deleted, but for each key's last"
    )


class Backup(BaseModel, frozen=True):
    """Where backups go, and how long they stay; off without a folder."""

    folder: Path | None = Field(
        default=None,
        description="folder of encrypted backups, on another disk or machine; no backups if unset",
    )
    key: SecretStr | None = Field(
        default=None, description="age identity that encrypts them; made in the home if unset"
    )
    key_file: Path | None = Field(default=None, description="the file that holds it")
    keep_days: int = Field(default=14, ge=1, description="days whose every instant can be restored")
    full_days: int = Field(
        default=7, ge=1, description="days between full backups; incremental ones between them"
    )

    @field_validator("folder", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @property
    def secret_key(self) -> str | None:
        """The key that was given."""
        return _secret(self.key, self.key_file, "TOUCHLINE_BACKUP_KEY_FILE")

    def environment(self) -> dict[str, str]:
        """The variable that gives another process the secret among these settings."""
        return {} if self.key is None else {f"{PREFIX}BACKUP_KEY": self.key.get_secret_value()}


class Access(BaseModel, frozen=True):
    """Who may ask the API, and how often; what is unset follows from the address that it listens on."""

    anonymous: bool | None = Field(
        default=None, description="answer requests without a key; if unset, on loopback alone"
    )
    key_limit: str | None = Field(
        default=None,
        description=f"requests of one key, as 600/minute or 10/second;9000/hour, or {NO_LIMIT}; "
        f"if unset, {NO_LIMIT} on loopback and {USUAL_KEY_LIMIT} elsewhere",
    )
    address_limit: str | None = Field(
        default=None,
        description="requests without a valid key of one address, written alike; "
        f"if unset, {NO_LIMIT} on loopback and {USUAL_ADDRESS_LIMIT} elsewhere",
    )
    redis: SecretStr | None = Field(
        default=None,
        description="redis://:password@host:6379/1 that counts requests; PostgreSQL does if unset",
    )
    redis_file: Path | None = Field(default=None, description="the file that holds it")
    origins: str | None = Field(
        default=None,
        description="pages that may ask from a browser, as https://example.org, with commas between them, or *",
    )
    proxies: str | None = Field(
        default=None,
        description="addresses or networks of the proxies that say who asks (X-Forwarded-For), with commas",
    )

    @field_validator("key_limit", "address_limit", mode="after")
    @classmethod
    def _is_a_limit(cls, value: str | None) -> str | None:
        if value is not None and value != NO_LIMIT:
            # A third of a second, of which commands know nothing that set no limit.
            from limits import parse_many

            try:
                parse_many(value)
            except ValueError as error:
                raise ValueError(f"write 600/minute, 10/second;9000/hour or {NO_LIMIT}") from error
        return value

    @field_validator("origins", mode="after")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        for each in parts_of(value):
            parts = urlsplit(each)
            if each != "*" and not (
                parts.scheme in ("http", "https") and each == f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{each!r} is no origin: write https://example.org, or *")
        return value

    @field_validator("proxies", mode="after")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        for each in parts_of(value):
            ipaddress.ip_network(each)
        return value

    @property
    def redis_url(self) -> str | None:
        """The address of the Redis that counts requests."""
        return _secret(self.redis, self.redis_file, "TOUCHLINE_ACCESS_REDIS_FILE")

    @model_validator(mode="after")
    def _has_a_redis(self) -> Access:
        if self.redis_url is not None and not (
            self.redis_url.startswith(("redis://", "rediss://")) and _has_a_port(self.redis_url)
        ):
            raise ValueError("REDIS: write redis://:password@host:6379/1")
        return self

    def environment(self) -> dict[str, str]:
        """The variable that gives another process the secret among these settings."""
        return {} if self.redis is None else {f"{PREFIX}ACCESS_REDIS": self.redis.get_secret_value()}


def parts_of(text: str | None) -> list[str]:
    """What a setting lists with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


class Settings(BaseSettings):
    """Where things are and how this run behaves. Frozen: a run cannot change its mind half-way."""

    # TOUCHLINE_DRIFT_PSI is `drift.psi`: the first underscore after a subject's name leads into it.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="_", env_nested_max_split=1, env_ignore_empty=True, frozen=True,
        extra="ignore",
    )  # fmt: skip

    home: Path = Field(
        default=PROJECT_ROOT / ".touchline", description="state: database, logs, artefacts, secrets"
    )
    database_url: str | None = Field(
        default=None, description="an existing PostgreSQL 15+ (administrator URL); the embedded one if unset"
    )
    source: str = Field(
        default=SANDBOX,
        description="sandbox, live (every source of config/sources.yaml that has its key), one source by name, "
        "or a folder of downloaded season files",
    )
    sources_file: Path = Field(
        default=PROJECT_ROOT / "config" / "sources.yaml",
        description="which source gives what, and its limits",
    )
    as_of: datetime | None = Field(default=None, description="run as if this were now (UTC)")
    horizon_days: int = Field(default=7, ge=1, le=60, description="predict fixtures this many days ahead")
    history_seasons: int = Field(default=10, ge=1, description="past seasons to fetch from a site")
    bind_host: str = Field(default="127.0.0.1", description="address every server of ours listens on")
    postgres_port: Port = 54329
    airflow_port: Port = 8080
    mlflow_port: Port = 5000
    api_port: Port = 8000
    api_workers: int = Field(default=1, ge=1, le=64, description="processes that answer for the read API")
    sandbox_port: Port = 8999
    exporter_port: Port = 9108
    prometheus_port: Port = 9090
    alertmanager_port: Port = 9093
    node_exporter_port: Port = 9100
    sandbox_seed: int = 7
    database_name: str | None = Field(default=None, description="overrides the name derived from the source")
    mlflow_tracking_uri: str | None = Field(default=None, description="an existing MLflow server")
    sandbox_url: str | None = Field(
        default=None, description="a simulated world that runs on another machine; this machine's if unset"
    )
    alertmanager_url: str | None = Field(
        default=None, description="an Alertmanager on another machine; this machine's if unset"
    )
    lineage_url: str | None = Field(
        default=None,
        description="where OpenLineage events go, such as a Marquez server; a file below home if unset",
    )
    lineage_parent: str | None = Field(
        default=None, description="OpenLineage run that this one is part of: namespace/job/run id"
    )
    data_docs: bool = Field(default=True, description="write pages of what every quality gate found")
    random_seed: int = Field(default=20260801, ge=0, lt=2**32)
    training_since: datetime = Field(
        default=datetime(2000, 7, 1, tzinfo=UTC),
        description="models learn from matches since; older ones have no shots",
    )
    evaluation_seasons: int = Field(default=3, ge=1, description="last seasons a new model is tested on")
    drift: Drift = Drift()
    confident: Confident = Confident()
    tuning_budget_seconds: float = Field(
        default=1800, ge=0, description="time of the weekly search for parameters; 0 turns it off"
    )
    promotion: Promotion = Promotion()
    notify: Notify = Notify()
    keep: Keep = Keep()
    access: Access = Access()
    backup: Backup = Backup()

    @field_validator("as_of", "training_since", mode="before")
    @classmethod
    def _read_moment(cls, value: object) -> object:
        try:
            return parse_as_of(value) if isinstance(value, str) else value
        except SettingsInvalid as error:
            raise ValueError(str(error)) from error

    @field_validator("home", "sources_file", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("home", mode="after")
    @classmethod
    def _can_be_a_folder(cls, value: Path) -> Path:
        if (obstacle := in_the_way(value)) is not None:
            raise ValueError(f"{obstacle} is not a folder")
        return value

    @field_validator("database_url", mode="after")
    @classmethod
    def _as_plain_postgresql(cls, value: str | None) -> str | None:
        if value is None:
            return None
        scheme, _, rest = value.partition("://")
        plain = f"postgresql://{rest}"
        if scheme.split("+")[0] not in ("postgresql", "postgres") or not _has_a_port(plain):
            raise ValueError("write postgresql://user:password@host:5432/postgres")
        return plain

    @field_validator("mlflow_tracking_uri", "sandbox_url", "alertmanager_url", "lineage_url", mode="after")
    @classmethod
    def _is_of_the_web(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not (
            value.startswith(("http://", "https://")) and _has_a_port(value) and urlsplit(value).hostname
        ):
            raise ValueError("write http://host:5000")
        return value

    @property
    def is_simulated(self) -> bool:
        """True when the data comes from the simulated world."""
        return self.source == SANDBOX

    def source_key(self, source: str) -> SecretStr | None:
        """The key of a source: `TOUCHLINE_<SOURCE>_KEY`, or the content of the file `TOUCHLINE_<SOURCE>_KEY_FILE`.

        None when neither is set. Raises SettingsInvalid when the file cannot be read.
        """
        name = f"TOUCHLINE_{source.upper()}_KEY"
        if key := os.environ.get(name, "").strip():
            return SecretStr(key)
        if path := os.environ.get(f"{name}_FILE"):
            key = _content(Path(path), f"{name}_FILE")
            return SecretStr(key) if key else None
        return None

    @property
    def warehouse_database(self) -> str:
        """Simulated and real data never share a database."""
        return self.database_name or ("touchline_sandbox" if self.is_simulated else "touchline")

    @property
    def model_name(self) -> str:
        """Name of the registered model; the simulated world has its own."""
        return self.warehouse_database.replace("touchline", "touchline_match_result", 1)

    @property
    def is_on_loopback(self) -> bool:
        """True when only this machine reaches what listens on `bind_host`."""
        try:
            return ipaddress.ip_address(self.bind_host).is_loopback
        except ValueError:
            return self.bind_host == "localhost"

    @property
    def secrets(self) -> Credentials:
        """Passwords and keys of this installation, by name."""
        return Credentials(CREDENTIALS, self.home / "secrets", os.environ)

    def passwords(self, *names: str) -> dict[str, str]:
        """The variables that give another process these credentials, and no others."""
        return {variable_of(name): self.secrets[name] for name in names}

    @property
    def admin_url(self) -> str:
        """URL of an administrator on the maintenance database `postgres`, `postgresql://...`.

        A process that was started with `environment()` has no administrator, only the server's address.
        """
        if self.database_url:
            return self.database_url
        return self.url_for("postgres", self.secrets["postgres"], "postgres")

    def url(self, role: Role, database: str | None = None) -> str:
        """Connection URL of an application role on the warehouse database (or `database`)."""
        return self.url_for(f"touchline_{role}", self.secrets[role], database or self.warehouse_database)

    def url_for(self, user: str, password: str, database: str) -> str:
        """The server's address with a user, a password and a database."""
        parts = urlsplit(self.server_url)
        return urlunsplit(
            parts._replace(
                netloc=f"{quote(user)}:{quote(password, safe='')}@{parts.netloc}", path=f"/{database}"
            )
        )

    @property
    def server_url(self) -> str:
        """Where the server answers, `postgresql://host:port...`, without a user."""
        if self.database_url:
            return _without_user(self.database_url)
        return f"postgresql://127.0.0.1:{self.running_port('postgres', self.postgres_port)}"

    def environment(self) -> dict[str, str]:
        """The variables that give another process these settings.

        They lack the administrator of `database_url`, and what few processes need: whom to alert, and the Redis of the
        API, which `notify` and `access` give.
        """
        variables: dict[str, str] = {}
        given = self.model_dump(
            mode="json", exclude_none=True, exclude={"notify": True, "access": {"redis"}, "backup": {"key"}}
        )
        for name, value in given.items():
            parts = (
                {f"{name}_{part}": each for part, each in value.items()}
                if isinstance(value, dict)
                else {name: value}
            )
            variables |= {f"TOUCHLINE_{part.upper()}": str(each) for part, each in parts.items()}
        if self.database_url:
            variables["TOUCHLINE_DATABASE_URL"] = _without_user(self.database_url)
        return variables

    @property
    def sandbox_address(self) -> str:
        """Where the simulated world answers, `http://host:port`."""
        if self.sandbox_url is not None:
            return self.sandbox_url.rstrip("/")
        return f"http://127.0.0.1:{self.running_port('sandbox', self.sandbox_port)}"

    @property
    def alertmanager_address(self) -> str:
        """Where Alertmanager answers, `http://host:port`."""
        if self.alertmanager_url is not None:
            return self.alertmanager_url.rstrip("/")
        return f"http://127.0.0.1:{self.running_port('alertmanager', self.alertmanager_port)}"

    def running_port(self, service: str, preferred: int) -> int:
        """The port a service of ours was last started on, or the preferred one."""
        path = self.home / "run" / f"{service}.json"
        try:
            return int(json.loads(path.read_text())["port"])
        except (OSError, ValueError, KeyError, TypeError):
            return preferred


def inherited_environment() -> dict[str, str]:
    """This process's variables for a child, without ours.

    A child gets settings from `environment()`, and `passwords()` and `source_keys()` if it needs them.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}


def airflow_variables_given() -> dict[str, str]:
    """What this process's environment sets of Airflow's configuration."""
    return {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW__")}


def source_keys() -> dict[str, str]:
    """This process's variables that hold a key of a source, or name the file that does."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("TOUCHLINE_") and name.endswith(("_KEY", "_KEY_FILE"))
    }


def _without_user(url: str) -> str:
    return re.sub(r"(?<=://)[^/?#]*@", "", url)


def read_settings() -> Settings:
    """The settings that the environment of this process gives.

    Raises SettingsInvalid, with every variable that has a value which cannot be used, and every one that is no setting
    and would be ignored, with the setting that was probably meant.
    """
    problems = list(_not_settings())
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            problems.append(f"{PREFIX}{name}: {problem['msg'].removeprefix('Value error, ')}")
    except SettingsError as error:
        # The parts of a subject, given as one variable.
        problems.append(f"{error}: write JSON, or each part by itself, as {PREFIX}DRIFT_PSI=0.25")
    if problems:
        raise SettingsInvalid("\n".join(problems))
    return settings


def in_the_way(folder: Path) -> Path | None:
    """What keeps a folder from being there or being made, because it is none itself; None when nothing does."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    return None if there.is_dir() else there


def _not_settings() -> Iterator[str]:
    """Variables that look like settings, and what is wrong with each."""
    known = set(_names_of(Settings)) | {f"{name.upper()}_PASSWORD" for name in CREDENTIALS}
    for variable in sorted(os.environ):
        # Settings are read whatever the case of their names.
        name = variable.upper().removeprefix(PREFIX)
        if variable.upper() == name or name in known or OTHER_VARIABLES.fullmatch(variable):
            continue
        meant = nearest(name, known)
        told = f"did you mean {PREFIX}{meant}?" if meant else "docs/getting-started.md lists them"
        yield f"{variable} is no setting: {told}"


def _names_of(model: type[BaseModel]) -> Iterator[str]:
    """Names of settings without prefix, in capitals; a subject can be given as one, or part by part."""
    for name, field in model.model_fields.items():
        yield name.upper()
        if isinstance(field.default, BaseModel):
            yield from (f"{name}_{part}".upper() for part in _names_of(type(field.default)))
