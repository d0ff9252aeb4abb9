"""The `touchline` command: everything a DAG task does, by hand."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from touchline import __version__
from touchline.cli.output import State, errors
from touchline.errors import TouchlineError
from touchline.settings import Settings

TOPICS = (
    "run", "collect", "sources", "rejects", "teams", "compact", "build", "train", "tune", "predict", "markets",
    "drift", "backtest",
    "models", "rollback", "quality", "anomalies", "lineage", "catalogue", "features", "doctor", "serve", "sandbox",
    "database", "export", "docs",
)  # fmt: skip

app = typer.Typer(
    name="touchline",
    help="Football forecasts that can prove they did not know the future.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback()
def root(
    ctx: typer.Context,
    source: Annotated[
        str | None,
        typer.Option(
            help="sandbox (simulated, the default), live (all of config/sources.yaml), one source by name, "
            "or a folder of season files"
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="run as if this were now: 2023-03-10 or 2023-03-10T18:00Z")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="folder of database, logs and artefacts")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for machines")] = False,
) -> None:
    """Options of every command; each can also be set as TOUCHLINE_<NAME> in the environment."""
    # Through the environment, so that the processes a command starts see the same settings.
    given = {"SOURCE": source, "AS_OF": as_of, "HOME": None if home is None else str(home)}
    os.environ.update({f"TOUCHLINE_{name}": value for name, value in given.items() if value is not None})
    ctx.obj = State(Settings(), as_json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> Any:
    """Entry point: errors made on purpose end with their message and exit code 1, without a traceback."""
    try:
        return app()
    except TouchlineError as error:
        errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        errors.print(str(error), markup=False, highlight=False)
        sys.exit(1)
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            errors.print(f"[bold red]SettingsInvalid[/]: TOUCHLINE_{name}: {problem['msg']}", highlight=False)
        sys.exit(2)


for topic in TOPICS:
    importlib.import_module(f"touchline.cli.{topic}").register(app)
