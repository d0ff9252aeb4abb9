"""The `touchline` command: everything a DAG task does, by hand."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from touchline import __version__
from touchline.cli.output import State, errors
from touchline.errors import TouchlineError

# In the order of `touchline --help`: the command, its module, and its line in the list of commands.
COMMANDS = (
    ("run", "run", "Run everything from nothing to predictions on screen, through Airflow; leave it running."),
    ("up", "run", "Start everything and leave it running; Airflow then runs the DAGs on their schedules."),
    ("down", "run", "Stop everything; nothing is lost."),
    ("status", "run", "Show what is running, and where."),
    ("airflow", "airflow", "Show how to log in to Airflow."),
    ("collect", "collect", "Fetch and land fixtures, odds and scores."),
    ("sources", "sources", "List the sources: health, freshness, remaining quota, rows rejected today."),
    ("rejects", "rejects", "Count, show and replay rows and prices that could not be used."),
    ("teams", "teams", "List and link team names of the sources, review those in doubt."),
    ("compact", "compact", "Thin out the price ticks of closed months."),
    ("build", "build", "Build the warehouse: gates, dbt layers, ratings, features."),
    ("step", "step", "Run one step of the pipeline as its task does, or list the steps."),
    ("train", "train", "Train on everything known now and register the model."),
    ("tune", "tune", "Search for better parameters on past seasons."),
    ("predict", "predict", "Predict every fixture in the horizon into the ledger."),
    ("why", "why", "Why a match was not predicted, where to look and what to do; or when it was, and by which model."),
    ("settle", "predict", "Score predictions whose result is known."),
    ("ledger", "ledger", "Prove that the ledger was never changed: take a digest, export, verify."),
    ("markets", "markets", "Show every market of the champion's latest prediction of a match, with fair prices."),
    ("season", "season", "Forecast how each competition's season ends: title, Europe, promotion, relegation."),
    ("drift", "drift", "Look for drift of the champion and its features."),
    ("backtest", "backtest", "Measure how good the forecasts would have been, on a folder of season files."),
    ("replay", "replay", "Play a past season day by day as production would have, and report what came of it."),
    ("models", "models", "List registered models, read their cards, promote one."),
    ("rollback", "rollback", "Undo a promotion, or go back to the image before."),
    ("rollout", "rollback", "Run a cluster of compose with another image, while its API answers."),
    ("quality", "quality", "Run quality gates, show rules and held competitions, release one."),
    ("anomalies", "anomalies", "Find, list and show anomalies in prices, results, volumes and features."),
    ("lineage", "lineage", "Trace a prediction to payload bytes, a payload forward, or a column to its sources."),
    ("catalogue", "catalogue", "List all tables and views: owner, grain, promised freshness, age."),
    ("features", "features", "List all features: definition, missing rate, importance."),
    ("doctor", "doctor", "Check what is installed, running, reachable, migrated and fresh."),
    ("monitoring", "monitoring", "Start or stop Prometheus and what belongs to it beside a running Touchline."),
    ("maintenance", "maintenance", "Alert nobody while operators are at work: start, end, show."),
    ("serve", "serve", "Serve the read API, its documentation (/docs) and the board (/)."),
    ("metrics", "metrics", "Serve metrics for Prometheus, list them, run one of their queries."),
    ("keys", "keys", "Make, list, rotate and revoke keys of the API, and keep their users' profiles."),
    ("sandbox", "sandbox", "Serve the simulated football world, move its clock, make it fail."),
    ("database", "database", "Start, stop, migrate and open the database."),
    ("backup", "backup", "Take, list, check and restore backups."),
    ("restore", "backup", "Restore a backup into a folder, as of any instant."),
    ("validate-staging", "validate_staging", "Live through 72 hours with load and faults: which promises were kept?"),
    ("export", "export", "Write analytics views to Parquet or CSV files."),
    ("docs", "docs", "Describe every table and column on one page."),
)  # fmt: skip


class Listed(TyperCommand):
    """A command as the list shows it; its module is imported when it runs or shows its own help."""

    def __init__(self, name: str, module: str, short_help: str) -> None:
        super().__init__(name, help=short_help)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the command itself."""
        topic = typer.Typer(rich_markup_mode="rich")
        importlib.import_module(f"touchline.cli.{self._module}").register(topic)
        assert self.name is not None, "every command of the table has a name"
        return get_group(topic).commands[self.name].make_context(info_name, args, parent, **extra)


class Commands(TyperGroup):
    """The table above, after the commands of this module."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for row in COMMANDS:
            self.add_command(Listed(*row))


app = typer.Typer(
    name="touchline",
    cls=Commands,
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
    as_json: Annotated[bool, typer.Option("--json", help="print JSON instead of text")] = False,
) -> None:
    """Options of every command; each can also be set as TOUCHLINE_<NAME> in the environment."""
    # Through the environment, so that the processes a command starts see the same settings.
    given = {"SOURCE": source, "AS_OF": as_of, "HOME": None if home is None else str(home)}
    os.environ.update({f"TOUCHLINE_{name}": value for name, value in given.items() if value is not None})
    ctx.obj = State(as_json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> Any:
    """Entry point: errors made on purpose end with their message and exit code, without a traceback.

    So do those about a file: what they say is all there is to know.
    """
    try:
        return app()
    except TouchlineError as error:
        _tell(error, str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        _tell(error, f"{error.filename}: {error.strerror}")
        sys.exit(TouchlineError.exit_code)


def _tell(error: Exception, message: str) -> None:
    errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
    errors.print(message, markup=False, highlight=False)
