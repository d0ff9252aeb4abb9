"""The command line as a person meets it: counts that add up, clear messages, exit codes."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from builders import match_row, write_season_file
from touchline import __version__, cli
from touchline.cli import output
from touchline.database.engine import connect, rows
from touchline.errors import DatabaseUnavailable, TouchlineError
from touchline.operations import names
from touchline.operations.steps import STEPS
from touchline.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command on this test's database; returns the result, with errors made on purpose as exceptions."""
    return running_on(settings, monkeypatch)


@pytest.fixture
def run_on_nothing(module_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same on an empty database that stays empty."""
    return running_on(module_settings, monkeypatch)


def running_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
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
    # Wrong usage is told in a box.
    return int(str(caught.value.code)), " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_version(run: Any):
    assert run("version").output.strip() == __version__


def test_collect_accounts_for_every_row_of_every_file(run: Any, tmp_path: Path):
    write_season_file(tmp_path, [match_row(), match_row(HomeTeam="Leeds", Date="soon")])
    result = run("--source", tmp_path, "--as-of", "2023-06-30", "--json", "collect")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["rows"], report["parsed"], report["rejected"]) == (2, 1, 1)
    assert all(file["parsed"] + file["rejected"] == file["rows"] for file in report["files"])
    table = run("--source", tmp_path, "--as-of", "2023-06-30", "collect")
    assert "unchanged" in table.output


def test_one_bad_file_is_told_with_exit_code_3_and_the_rest_is_kept(run: Any, tmp_path: Path):
    write_season_file(tmp_path, [match_row()])
    (tmp_path / "2223" / "E1.csv").write_bytes(b"<html>moved</html>")
    result = run("--source", tmp_path, "--as-of", "2023-06-30", "--json", "collect")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
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


def test_a_connection_that_is_lost_is_said_to_be(settings: Settings):
    with (
        pytest.raises(DatabaseUnavailable, match="was lost: terminating connection"),
        connect(settings, "owner") as connection,
    ):
        connection.execute("select pg_terminate_backend(pg_backend_pid())")


@pytest.mark.usefixtures("run_on_nothing")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--as-of", "10 March", "status"),
            "TOUCHLINE_AS_OF: '10 March' is not a date or time: write 2023-03-10",
        ),
        (("--home", "/dev/null", "status"), "TOUCHLINE_HOME: /dev/null is not a folder"),
        (("anomalies", "find", "--since", "soon"), "'soon' is not a date or time"),
        (("anomalies", "list", "--since", "9999-12-31T23:00-12:00"), "is not a date or time"),
        (("rejects", "count", "--since", "soon"), "'soon' is not a date or time"),
        (("rejects", "show", "--limit", "99999999999999999999"), "--limit"),
        (("--source", "sandbx", "collect"), "there is no source or folder sandbx; did you mean sandbox?"),
        (("sandbox", "serve", "--port", "70000"), "65535"),
        (("features", "--markdown", "/dev/null/features.md"), "/dev/null is not a folder"),
        (("backtest", "--json", "/dev"), "/dev is a folder: name a file"),
        (("backtest", "--report", "/dev/null"), "/dev/null is not a folder"),
        (("docs", "--to", "/dev/null"), "/dev/null is not a folder"),
        (("lineage", "payload:1", "--extract", "/dev/null/below"), "/dev/null is not a folder"),
        (("lineage", "2f6e", "--report", "/dev/null/page.html"), "/dev/null is not a folder"),
        (("export", "matches", "--to", "/dev/null/matches.csv"), "/dev/null is not a folder"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
):
    code, message = exit_code_and_message(monkeypatch, capsys, *arguments)
    assert code == 2
    assert told in message


@pytest.mark.usefixtures("run_on_nothing")
@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "TOUCHLINE_DATABASE_URL",
            "mysql://root:hush@db/x",
            "write postgresql://user:password@host:5432/postgres",
        ),
        ("TOUCHLINE_HORIZON_DAY", "3", "did you mean TOUCHLINE_HORIZON_DAYS?"),
    ],
)
def test_a_variable_that_cannot_be_used_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, told: str
):
    monkeypatch.setenv(variable, value)
    code, message = exit_code_and_message(monkeypatch, capsys, "status")
    assert code == 2
    assert message.startswith(f"SettingsInvalid: {variable}")
    assert told in message
    assert "hush" not in message


@pytest.mark.parametrize(
    "arguments",
    [
        ("sources",), ("rejects", "count"), ("rejects", "show"), ("rejects", "replay"), ("teams", "list"),
        ("teams", "review"), ("teams", "unlink", "Leeds", "--source", "x", "--country", "y"),
        ("compact", "--before", "2023-01"), ("why", "Leeds", "Arsenal", "2022-11-05"),
        ("markets", "00000000-0000-0000-0000-000000000000"), ("quality", "rules"), ("quality", "history"),
        ("quality", "quarantined"), ("quality", "holds"), ("quality", "release", "E0", "--reason", "so"),
        ("anomalies", "list"), ("anomalies", "show", "99999999999999999999"), ("lineage", "2f6e"),
        ("lineage", "payload:99999999999999999999"), ("lineage", "columns", "analytics.matches"), ("catalogue",),
        ("export", "matches", "--to", "matches.csv"), ("export", "--all", "--to", "all"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_on_an_empty_database_a_command_answers_or_says_what_is_missing(
    run_on_nothing: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: tuple[str, ...]
):
    monkeypatch.chdir(tmp_path)
    write_season_file(tmp_path, [match_row()])
    result = run_on_nothing("--source", tmp_path, "--as-of", "2023-06-30", *arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit | TouchlineError), (
        result.exception
    )


@pytest.mark.usefixtures("run_on_nothing")
def test_a_folder_that_cannot_be_made_is_exit_code_1_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    code, message = exit_code_and_message(monkeypatch, capsys, "--home", "/proc/nowhere", "database", "url")
    assert (code, message) == (1, "FileNotFoundError: /proc/nowhere: No such file or directory")


def test_a_command_that_waits_says_for_what(run: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch):
    said = threading.Event()

    class Heard(io.StringIO):
        def write(self, text: str) -> int:
            said.set()
            return super().write(text)

    heard = Heard()
    monkeypatch.setattr(output, "errors", Console(file=heard))
    monkeypatch.setattr(output, "MOMENT_SECONDS", 0)
    with connect(settings, "owner") as connection:
        connection.execute("lock table alembic_version")
        release = threading.Thread(target=lambda: (said.wait(10), connection.rollback()))
        release.start()
        started = run("database", "start")
        release.join()
    assert started.exit_code == 0
    assert "Waiting for PostgreSQL" in heard.getvalue()


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
    report = json.loads(result.stdout)
    assert list(report) == list(names.BUILD)
    assert report["update_ratings"]["report"]["n_learned"] == 2
    again = json.loads(run(*options, "build").stdout)
    assert all(step["is_repeat"] for step in again.values())
    assert "Nothing new" in run(*options[:-1], "build").output
    layer = json.loads(run(*options, "build", "--layer", "analytics").stdout)
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
    listed = json.loads(run("--json", "step", "--list").stdout)
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
    checks = {check["subject"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["PostgreSQL"]["state"] == "ok"
    assert checks["migrations"]["state"] == "ok"
    assert checks["predictions"]["advice"] == "run `make run`"


def test_database_start_and_url(run: Any):
    assert json.loads(run("--json", "database", "start").stdout)["revision"]
    assert run("database", "url").output.startswith("postgresql://touchline_api:")
    assert run("database", "url", "--role", "king").exit_code == 2
