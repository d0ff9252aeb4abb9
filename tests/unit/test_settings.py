"""Settings: what the environment gives is used or refused, never ignored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from touchline.errors import SettingsInvalid
from touchline.operations.airflow_settings import connections
from touchline.settings import Access, Settings, inherited_environment, read_settings


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("TOUCHLINE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("TOUCHLINE_HORIZON_DAY", "TOUCHLINE_HORIZON_DAYS"),
        ("TOUCHLINE_ASOF", "TOUCHLINE_AS_OF"),
        ("touchline_databse_url", "TOUCHLINE_DATABASE_URL"),
        ("TOUCHLINE_DRIFT_PSY", "TOUCHLINE_DRIFT_PSI"),
        ("TOUCHLINE_PROMOTION_PATIENCE", "TOUCHLINE_PROMOTION_PATIENCE_DAYS"),
        ("TOUCHLINE_OWNR_PASSWORD", "TOUCHLINE_OWNER_PASSWORD"),
    ],
)
def test_a_mistyped_variable_is_refused_with_the_setting_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
):
    monkeypatch.setenv(variable, "7")
    with pytest.raises(SettingsInvalid, match=rf"^{variable} is no setting: did you mean {meant}\?$"):
        read_settings()


def test_a_variable_like_no_setting_is_refused_with_where_they_are_listed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOUCHLINE_XYZZY", "1")
    with pytest.raises(SettingsInvalid, match=r"^TOUCHLINE_XYZZY is no setting: docs/getting-started\.md"):
        read_settings()


def test_passwords_keys_and_what_other_tools_are_told_are_no_mistakes(monkeypatch: pytest.MonkeyPatch):
    for name in (
        "ANALYST_PASSWORD", "POSTGRES_PASSWORD", "FERNET_PASSWORD", "THE_ODDS_API_KEY", "LINEAGE_KEY",
        "API_FOOTBALL_KEY_FILE", "DBT_HOST", "QUALITY_URL", "SHARED_DATA",
    ):  # fmt: skip
        monkeypatch.setenv(f"TOUCHLINE_{name}", "x")
    monkeypatch.setenv("touchline_horizon_days", "9")
    monkeypatch.setenv("TOUCHLINE_DRIFT", '{"psi": 0.5}')
    settings = read_settings()
    assert (settings.horizon_days, settings.drift.psi) == (9, 0.5)


def test_a_child_gets_exactly_these_settings(monkeypatch: pytest.MonkeyPatch, home: Path):
    given = Settings(
        home=home, source="football-data-uk", as_of="2023-03-10", mlflow_tracking_uri="http://ml:5000"
    )
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert read_settings() == given
    assert not inherited_environment().keys() & given.environment().keys()


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("AS_OF", "10 March", "'10 March' is not a date or time: write 2023-03-10 or 2023-03-10T18:00Z"),
        ("AS_OF", "0001-01-01T00:00+14:00", "write 2023-03-10"),
        ("TRAINING_SINCE", "long ago", "write 2023-03-10"),
        ("HOME", "/dev/null", "/dev/null is not a folder"),
        ("HOME", "/dev/null/below", "/dev/null is not a folder"),
        ("DATABASE_URL", "mysql://root@db/postgres", "write postgresql://user:password@host:5432/postgres"),
        ("DATABASE_URL", "db:5432", "write postgresql://"),
        ("DATABASE_URL", "postgresql://postgres:hush@db:port/postgres", "write postgresql://"),
        ("DATABASE_URL", "postgresql://postgres:hush@db:70000/postgres", "write postgresql://"),
        ("MLFLOW_TRACKING_URI", "mlflow:5000", "write http://host:5000"),
        ("LINEAGE_URL", "http://", "write http://host:5000"),
        ("LINEAGE_URL", "http://[", "write http://host:5000"),
        ("LINEAGE_URL", "https://user:hush@marquez:x", "write http://host:5000"),
        ("API_PORT", "tcp://10.0.0.1:8000", "valid integer"),
        ("API_PORT", "80000", "less than or equal to 65535"),
        ("DRIFT_PSI", "0", "greater than 0"),
        ("DRIFT", "high", "TOUCHLINE_DRIFT_PSI"),
        ("RANDOM_SEED", "-1", "greater than or equal to 0"),
        ("ACCESS_KEY_LIMIT", "much", "write 600/minute, 10/second;9000/hour or none"),
        ("ACCESS_ADDRESS_LIMIT", "60/fortnight", "write 600/minute"),
        ("ACCESS_ANONYMOUS", "perhaps", "valid boolean"),
        ("ACCESS_ORIGINS", "https://a.example/page", "write https://example.org, or *"),
        ("ACCESS_ORIGINS", "a.example", "write https://example.org, or *"),
        ("ACCESS_PROXIES", "10.0.0.0/8, proxy", "'proxy' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
):
    monkeypatch.setenv(f"TOUCHLINE_{variable}", value)
    with pytest.raises(SettingsInvalid) as caught:
        read_settings()
    message = str(caught.value)
    assert told in message
    assert variable in message.upper()
    assert "hush" not in message
    assert "Value error" not in message


def test_everything_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    for name, value in {"HORIZON_DAYS": "0", "API_PORT": "x", "SEASON": "7"}.items():
        monkeypatch.setenv(f"TOUCHLINE_{name}", value)
    with pytest.raises(SettingsInvalid) as caught:
        read_settings()
    assert [line.partition(" ")[0].strip(":") for line in str(caught.value).splitlines()] == [
        "TOUCHLINE_SEASON",
        "TOUCHLINE_HORIZON_DAYS",
        "TOUCHLINE_API_PORT",
    ]


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch):
    for name in ("HOME", "SOURCE", "AS_OF", "DATABASE_URL", "API_PORT"):
        monkeypatch.setenv(f"TOUCHLINE_{name}", "")
    assert read_settings() == Settings.model_construct()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_an_address_for_sqlalchemy_is_understood(monkeypatch: pytest.MonkeyPatch, scheme: str):
    monkeypatch.setenv("TOUCHLINE_DATABASE_URL", f"{scheme}://admin:x@db:5433/postgres?sslmode=require")
    assert read_settings().admin_url == "postgresql://admin:x@db:5433/postgres?sslmode=require"


def test_whom_to_alert_is_handed_on_apart_and_its_secrets_are_never_shown(
    monkeypatch: pytest.MonkeyPatch, home: Path
):
    (home / "hook").write_text("https://hooks.example/T0/s3cret\n")
    monkeypatch.setenv("TOUCHLINE_NOTIFY_WEBHOOK_FILE", str(home / "hook"))
    monkeypatch.setenv("TOUCHLINE_NOTIFY_EMAIL", "ann@example.org")
    monkeypatch.setenv("TOUCHLINE_NOTIFY_SMTP", "smtps://ann:p%40ss@mail.example")
    settings = read_settings()
    assert settings.notify.webhook_address == "https://hooks.example/T0/s3cret"
    assert "p%40ss" not in repr(settings)
    assert not [name for name in settings.environment() if "NOTIFY" in name]
    handed_on = settings.notify.environment()
    assert handed_on["TOUCHLINE_NOTIFY_SMTP"] == "smtps://ann:p%40ss@mail.example"
    mail = json.loads(connections(settings.notify)["AIRFLOW_CONN_TOUCHLINE_MAIL"])
    assert (mail["host"], mail["port"], mail["login"], mail["password"]) == (
        "mail.example",
        465,
        "ann",
        "p@ss",
    )
    assert (mail["extra"]["disable_ssl"], mail["extra"]["disable_tls"]) == (False, True)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"WEBHOOK": "hooks.example/T0"}, "WEBHOOK: write https://"),
        ({"EMAIL": "ann@example.org"}, "EMAIL and SMTP go together"),
        ({"EMAIL": "ann@example.org", "SMTP": "mail.example:25"}, "SMTP: write smtp://"),
        ({"WEBHOOK_FILE": "/nowhere/hook"}, "/nowhere/hook cannot be read"),
    ],
)
def test_whom_to_alert_is_refused_where_nobody_could_be_reached(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], told: str
):
    for name, value in given.items():
        monkeypatch.setenv(f"TOUCHLINE_NOTIFY_{name}", value)
    with pytest.raises(SettingsInvalid, match=told):
        read_settings()


def test_the_redis_of_the_api_is_handed_on_apart(monkeypatch: pytest.MonkeyPatch, home: Path):
    address = "redis://:hush@redis:6379/1"
    (home / "redis").write_text(f"{address}\n")
    given = Settings(
        home=home, access=Access(redis=address, key_limit="10/second;600/minute", anonymous=False)
    )
    assert "hush" not in json.dumps(given.environment())
    assert "hush" not in repr(given)
    for name, value in {**given.environment(), **given.access.environment()}.items():
        monkeypatch.setenv(name, value)
    assert read_settings() == given
    from_a_file = Settings(home=home, access=Access(redis_file=home / "redis"))
    assert from_a_file.access.redis_url == address
    assert from_a_file.access.environment() == {}
    monkeypatch.setenv("TOUCHLINE_ACCESS_REDIS", "postgresql://:hush@redis:6379")
    with pytest.raises(
        SettingsInvalid, match=r"^TOUCHLINE_ACCESS: REDIS: write redis://:password@host:6379/1$"
    ):
        read_settings()
