"""What a process imports: a command, a DAG file or a task loads what it works with, and nothing that others need."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import typer
from typer.main import get_group

from builders import match_row, write_season_file
from loaded_modules import loaded_by, packages
from touchline import cli
from touchline.settings import PROJECT_ROOT, Settings

# Each costs a process half a second or fifty megabytes.
HEAVY = {
    "dbt", "fastapi", "feast", "great_expectations", "lightgbm", "matplotlib", "mlflow", "numba", "optuna", "pandas",
    "pyarrow", "scipy", "sklearn", "sqlglot",
}  # fmt: skip
OF_THE_DATABASE = {"alembic", "httpx", "polars", "psycopg", "sqlalchemy"}
STATUS_MODULES = 500
COLLECT_MODULES = 1000


def run_command(*arguments: str) -> str:
    return f"from touchline.cli import app\napp({list(arguments)!r}, standalone_mode=False)"


@pytest.mark.parametrize("arguments", [("--help",), ("version",), ("status",)])
def test_to_list_the_commands_and_to_ask_what_runs_nothing_of_the_pipeline_is_loaded(
    arguments: tuple[str, ...], tmp_path: Path
):
    modules = loaded_by(run_command(*arguments), TOUCHLINE_HOME=str(tmp_path))
    assert not packages(modules) & (HEAVY | OF_THE_DATABASE)
    assert len(modules) < STATUS_MODULES


def test_the_help_of_a_command_does_not_load_what_the_command_works_with():
    code = "\n".join(run_command(name, "--help") for name, _, _ in cli.COMMANDS)
    modules = loaded_by(code)
    assert {f"touchline.cli.{module}" for _, module, _ in cli.COMMANDS} <= modules
    assert not packages(modules) & HEAVY


def test_the_list_names_every_command_of_every_module():
    listed: dict[str, set[str]] = {}
    for name, module, _ in cli.COMMANDS:
        listed.setdefault(module, set()).add(name)
    for module, names in listed.items():
        topic = typer.Typer()
        importlib.import_module(f"touchline.cli.{module}").register(topic)
        assert set(get_group(topic).commands) == names
    files = (PROJECT_ROOT / "include/touchline/cli").glob("*.py")
    assert {path.stem for path in files if "def register(" in path.read_text()} == set(listed)


def test_a_collection_loads_what_collecting_needs(settings: Settings, tmp_path: Path):
    write_season_file(tmp_path, [match_row()])
    given = settings.model_copy(update={"source": str(tmp_path)}).environment()
    code = (
        "from touchline.operations.pipeline import run_step\n"
        "from touchline.operations.steps import STEPS\n"
        "from touchline.settings import Settings\n"
        "print(run_step(Settings(), STEPS['collect_scores'], 'some_dag/some_run').summary)"
    )
    modules = loaded_by(code, **given)
    assert not packages(modules) & HEAVY
    assert len(modules) < COLLECT_MODULES
