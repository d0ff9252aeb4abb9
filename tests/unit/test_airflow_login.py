"""How a person comes to know Airflow's password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand
from typer.testing import CliRunner

from touchline import cli
from touchline.cli.output import State
from touchline.cli.run import first_login_shown
from touchline.operations.airflow_settings import USER, airflow_variables, passwords_file
from touchline.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TOUCHLINE_HOME", str(tmp_path))
    return Settings()


def test_the_login_is_printed_when_asked_for(settings: Settings):
    password = settings.secrets["airflow_admin"]
    expected = {"address": "http://127.0.0.1:8080/auth/login", "user": USER, "password": password}
    told = CliRunner().invoke(cli.app, ["--json", "airflow", "login"])
    assert json.loads(told.stdout) == expected
    told = CliRunner().invoke(cli.app, ["airflow", "login"])
    assert all(part in told.output for part in expected.values())


def test_the_command_that_makes_the_password_shows_it_once(
    settings: Settings, capsys: pytest.CaptureFixture[str]
):
    context = typer.Context(TyperCommand("up"), obj=State(as_json=False))

    def shown() -> str:
        with first_login_shown(context):
            airflow_variables(settings, 8080)
        return capsys.readouterr().err

    assert settings.secrets["airflow_admin"] in shown()
    assert shown() == ""


def test_airflow_reads_it_from_a_file_for_its_owner_alone_and_no_environment_shows_it(settings: Settings):
    variables = airflow_variables(settings, 8080)
    password, path = settings.secrets["airflow_admin"], passwords_file(settings)
    assert json.loads(path.read_text()) == {USER: password}
    assert variables["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] == str(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert password not in json.dumps(variables)
