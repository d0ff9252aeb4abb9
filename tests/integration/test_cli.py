"""The command line as a person meets it: counts that add up, clear messages, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from builders import match_row, write_season_file
from touchline import __version__, cli
from touchline.database.engine import connect, rows
from touchline.operations import names
from touchline.operations.steps import STEPS
from touchline.settings import Settings


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on this test's database; returns the result, with errors made on purpose as exceptions."""
    variables = {**settings.environment(), "TOUCHLINE_SOURCE": "sandbox", "TOUCHLINE_AS_OF": ""}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def invoke(*arguments: str | Path) -> Any:
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])

    return invoke


def exit_code_and_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[int, str]:
    """Through the entry point, where errors become messages."""
    monkeypatch.setattr("sys.argv", ["touchline", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(str(caught.value.code)), " ".join(capsys.readouterr().err.split())


def test_version(run: Any):
    assert run("version").output.strip() == __version__


def test_collect_accounts_for_every_row_of_every_file(run: Any, tmp_path: Path):
    write_season_file(tmp_path, [match_row(), match_row(HomeTeam="Leeds", Date="soon")])
    result = run("--source", tmp_path, "--as-of", "2023-06-30", "--json", "collect")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert (report["rows"], report["parsed"], report["rejected"]) == (2, 1, 1)
    assert all(file["parsed"] + file["rejected"] == file["rows"] for file in report["files"])
    table = run("--source", tmp_path, "--as-of", "2023-06-30", "collect")
    assert "unchanged" in table.output


def test_one_bad_file_is_told_with_exit_code_3_and_the_rest_is_kept(run: Any, tmp_path: Path):
    write_season_file(tmp_path, [match_row()])
    (tmp_path / "2223" / "E1.csv").write_bytes(b"<html>moved</html>")
    result = run("--source", tmp_path, "--as-of", "2023-06-30", "--json", "collect")
    assert result.exit_code == 3
    report = json.loads(result.output)
    assert report["new_scores"] == 1
    assert "web page" in report["problems"][0]


@pytest.mark.usefixtures("run")
def test_a_missing_folder_is_exit_code_1_and_says_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    code, message = exit_code_and_message(monkeypatch, capsys, "--source", tmp_path / "nowhere", "collect")
    assert code == 1
    assert "does not exist" in message
    assert "2223/E0.csv" in message


@pytest.mark.usefixtures("run")
def test_an_unreachable_database_is_exit_code_1_and_says_where_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    write_season_file(tmp_path, [match_row()])
    monkeypatch.setenv("TOUCHLINE_DATABASE_URL", "postgresql://someone:hush@127.0.0.1:9/postgres")
    code, message = exit_code_and_message(monkeypatch, capsys, "--source", tmp_path, "collect")
    assert code == 1
    assert "127.0.0.1:9" in message
    assert "hush" not in message


@pytest.mark.usefixtures("run")
def test_a_bad_as_of_says_how_to_write_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    code, message = exit_code_and_message(monkeypatch, capsys, "--as-of", "10 March", "collect")
    assert code in (1, 2)
    assert "2023-03-10" in message


def test_an_unknown_kind_is_wrong_usage(run: Any):
    assert run("collect", "--kind", "weather").exit_code == 2


@pytest.mark.slow
@pytest.mark.nightly  # By day tests/dags/test_build_by_hand.py.
def test_build_without_airflow_gives_features_and_views(run: Any, tmp_path: Path):
    write_season_file(tmp_path, [match_row(), match_row(HomeTeam="Leeds", Date="21/01/2023")])
    options = ("--source", tmp_path, "--as-of", "2023-06-30", "--json")
    assert run(*options, "collect").exit_code == 0
    result = run(*options, "build")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert list(report) == list(names.BUILD)
    assert report["update_ratings"]["report"]["n_learned"] == 2
    again = json.loads(run(*options, "build").output)
    assert all(step["is_repeat"] for step in again.values())
    assert "Nothing new" in run(*options[:-1], "build").output
    layer = json.loads(run(*options, "build", "--layer", "analytics").output)
    assert {name: step["is_repeat"] for name, step in layer.items()} == {"build_analytics": False}
    checked = run(*options, "quality", "check", "features")
    assert checked.exit_code == 0, checked.output


def test_a_collection_by_hand_is_recorded_as_that_of_a_task(run: Any, settings: Settings, tmp_path: Path):
    write_season_file(tmp_path, [match_row()])
    assert run("--source", tmp_path, "--as-of", "2023-06-30", "collect", "--kind", "scores").exit_code == 0
    with connect(settings, "ingest") as connection:
        (row,) = rows(connection, "select step, status, detail from ops.pipeline_run")
    assert (row["step"], row["status"], row["detail"]["new_scores"]) == ("collect_scores", "success", 1)


def test_every_step_is_listed_and_runs_by_its_name(run: Any, tmp_path: Path):
    listed = json.loads(run("--json", "step", "--list").output)
    assert [row["step"] for row in listed] == list(STEPS)
    write_season_file(tmp_path, [match_row()])
    told = run("--source", tmp_path, "--as-of", "2023-06-30", "step", "announce_scores")
    assert "The warehouse has something to do." in told.output
    for arguments in (
        ("step",),
        ("step", "wait"),
        ("step", "settle", "--list"),
        ("build", "--layer", "roof"),
    ):
        assert run(*arguments).exit_code == 2


def test_doctor_says_what_works_and_what_to_do(run: Any):
    result = run("--as-of", "2023-06-30", "--json", "doctor")
    checks = {check["subject"]: check for check in json.loads(result.output)["checks"]}
    assert checks["PostgreSQL"]["state"] == "ok"
    assert checks["migrations"]["state"] == "ok"
    assert checks["predictions"]["advice"] == "run `make run`"


def test_database_start_and_url(run: Any):
    assert json.loads(run("--json", "database", "start").output)["revision"]
    assert run("database", "url").output.startswith("postgresql://touchline_api:")
    assert run("database", "url", "--role", "king").exit_code == 2
