"""Passwords and keys of an installation, and which process gets which."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from touchline.openlineage.datasets import dataset_uri
from touchline.operations import services
from touchline.settings import CREDENTIALS, Access, Settings

OF_AIRFLOW = {"ingest", "transform", "model", "api", "airflow", "fernet", "session"}


def test_each_is_made_once_and_kept_in_a_file_that_its_owner_alone_reads(tmp_path: Path):
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: Settings(home=tmp_path).secrets["api"], range(64)))
    assert found == {settings.secrets["api"]}
    kept = list((tmp_path / "secrets").iterdir())
    assert [path.name for path in kept] == ["api"]
    assert (kept[0].stat().st_mode & 0o777, kept[0].parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert len({settings.secrets[name] for name in CREDENTIALS}) == len(CREDENTIALS)


def test_an_environment_that_gives_it_wins_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TOUCHLINE_API_PASSWORD", "given")
    assert Settings(home=tmp_path).secrets["api"] == "given"
    assert not (tmp_path / "secrets").exists()


def test_a_name_that_is_none_makes_nothing(tmp_path: Path):
    with pytest.raises(KeyError):
        Settings(home=tmp_path).secrets["apl"]
    assert not (tmp_path / "secrets").exists()


def test_those_of_an_installation_that_kept_all_in_one_file_are_taken_over(tmp_path: Path):
    (tmp_path / "secrets.json").write_text(json.dumps({"postgres": "before", "api": "as well"}))
    secrets = Settings(home=tmp_path).secrets
    assert (secrets["api"], secrets["postgres"]) == ("as well", "before")
    assert not (tmp_path / "secrets.json").exists()


def test_to_name_a_table_of_the_server_takes_no_credential(tmp_path: Path):
    settings = Settings(home=tmp_path)
    assert dataset_uri(settings, "core.match") == "postgres://127.0.0.1:54329/touchline_sandbox/core/match"
    assert not (tmp_path / "secrets").exists()


def test_a_service_gets_the_credentials_it_needs_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(
        home=tmp_path, database_url="postgresql://root:of-the-administrator@db:5432/postgres?sslmode=require",
        lineage_url="http://reader:of-lineage@marquez:5000", access=Access(redis="redis://:of-redis@redis:6379/1"),
    )  # fmt: skip
    given = {"owner": "of-the-owner", "postgres": "of-postgres"}
    for name, value in given.items():
        monkeypatch.setenv(f"TOUCHLINE_{name.upper()}_PASSWORD", value)
    monkeypatch.setenv("TOUCHLINE_THE_ODDS_API_KEY", "of-a-source")
    known = {
        **{name: settings.secrets[name] for name in CREDENTIALS}, "administrator": "of-the-administrator",
        "source": "of-a-source", "lineage": "of-lineage",
        "redis": "of-redis",
    }  # fmt: skip
    found = {}
    for program in services._programs(settings):
        told = json.dumps(program.environment)
        found[program.name] = {name for name, value in known.items() if value in told}
    assert found == {
        "watchdog": {"watchdog"},
        "sandbox": set(),
        "mlflow": {"mlflow"},
        "api": {"api", "access", "redis"},
        "airflow-api": OF_AIRFLOW | {"source", "lineage"},
        "airflow-scheduler": OF_AIRFLOW | {"source", "lineage"},
        "airflow-dag-processor": OF_AIRFLOW | {"source", "lineage"},
        "airflow-triggerer": OF_AIRFLOW | {"source", "lineage"},
    }


def test_a_process_without_the_administrator_reaches_the_same_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = Settings(home=tmp_path, database_url="postgresql://root:x%40y@db:5432/postgres?sslmode=require")
    expected = whole.url("api")
    assert expected.endswith("@db:5432/touchline_sandbox?sslmode=require")
    for name, value in {**whole.environment(), **whole.passwords("api")}.items():
        monkeypatch.setenv(name, value)
    assert Settings().url("api") == expected
    assert Settings().admin_url == "postgresql://db:5432/postgres?sslmode=require"
